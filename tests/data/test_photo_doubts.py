"""Photos that stand out are found by name, and none in captures that are all right."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.data.photo_doubts import look, photo_doubts

BLUR = ImageFilter.GaussianBlur(2.0)


def with_light(factor):
    """A picture taken with so many times the light."""
    curve = [min(255, round(255 * (factor * (v / 255) ** 2.2) ** (1 / 2.2))) for v in range(256)]
    return lambda picture: picture.point(curve * 3)


def moved(picture):
    """Blurred along one direction, as by a shaky hand."""
    rows = np.asarray(picture, np.float32)
    shifted = [np.roll(rows, (step // 2, step), (0, 1)) for step in range(9)]
    return Image.fromarray(np.mean(shifted, 0).astype(np.uint8))


def copied(picture):
    """As a JPEG of middling quality."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return Image.open(file).convert("RGB")


def changed(scene, view, change, source=None):
    """The scene with one photo replaced by a changed one: its own, or that of the view `source`."""
    pixels = scene.images[view if source is None else source].numpy()
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    after = np.concatenate([np.asarray(change(picture)), pixels[..., 3:]], -1)
    images = [*scene.images]
    images[view] = torch.from_numpy(after)
    return dataclasses.replace(scene, images=images)


@pytest.fixture(scope="module", params=["courtyard", "shelf", "windmill"])
def scene(request):
    return open_source(example(request.param)).content


def test_good_captures_get_no_warnings(scene):
    assert photo_doubts(scene) == []


@pytest.mark.parametrize(
    "change, word",
    [
        (lambda picture: picture.filter(BLUR), "Blurred"),
        (moved, "Blurred"),
        (with_light(0.3), "Under-exposed"),
        (with_light(5.0), "Over-exposed"),
    ],
    ids=["blur", "motion", "dark", "bright"],
)
def test_problems_of_single_photos_are_found(scene, change, word):
    found = photo_doubts(changed(scene, 11, change))
    assert any(text.startswith(f"{word} photos (1): {scene.names[11]} ") for text in found)


def test_a_copy_is_found(scene):
    (found,) = photo_doubts(changed(scene, 11, copied, source=7))
    assert f"{scene.names[11]} (as {scene.names[7]})" in found


def test_masked_pixels_do_not_count():
    scene = open_source(example("courtyard")).content
    mask = torch.ones(scene.images[0].shape[:2], dtype=torch.bool)
    mask[:, 60:] = False
    masked = dataclasses.replace(scene, masks=[mask] * len(scene.images))
    noise = torch.randint(0, 256, scene.images[5].shape, generator=torch.Generator().manual_seed(0))
    images = [*scene.images]
    images[5] = torch.where(mask[..., None], images[5], noise.byte())
    own, other = (look(i.numpy(), mask.numpy()) for i in (scene.images[5], images[5]))
    assert np.array_equal(own.detail, other.detail) and own.stops == other.stops
    assert photo_doubts(dataclasses.replace(masked, images=images)) == []
    nothing = [torch.zeros_like(mask)] * len(images)
    assert photo_doubts(dataclasses.replace(scene, masks=nothing)) == []


def test_a_view_hidden_altogether_is_no_doubt_and_hides_no_other():
    scene = open_source(example("courtyard")).content
    masks = [torch.full(image.shape[:2], index != 3) for index, image in enumerate(scene.images)]
    blurred = changed(scene, 11, lambda picture: picture.filter(BLUR))
    (found,) = photo_doubts(dataclasses.replace(blurred, masks=masks))
    assert scene.names[11] in found


def test_flat_photos_are_named_and_tiny_ones_no_doubts():
    scene = open_source(example("courtyard")).content
    flat = [
        torch.full((h, w, 3), 128, dtype=torch.uint8)
        for h, w, _ in map(torch.Tensor.size, scene.images)
    ]
    (found,) = photo_doubts(dataclasses.replace(scene, images=flat))
    assert "one colour" in found and "(40): images/000.jpg" in found
    clear = [torch.cat([image, 0 * image[..., :1]], -1) for image in scene.images[:4]]
    (found,) = photo_doubts(dataclasses.replace(scene, images=[*clear, *scene.images[4:]]))
    assert "show nothing (4): images/000.jpg" in found
    tiny = [image[:3, :5] for image in scene.images]
    assert not any(
        "Blurred" in text for text in photo_doubts(dataclasses.replace(scene, images=tiny))
    )
    few = dataclasses.replace(changed(scene, 1, lambda p: p.filter(BLUR)), images=scene.images[:3])
    assert photo_doubts(few) == []


def test_many_names_are_cut_short():
    scene = open_source(example("courtyard")).content
    copies = dataclasses.replace(scene, images=[scene.images[0]] * len(scene.images))
    (found,) = photo_doubts(copies)
    assert "(39)" in found and found.count("(as ") == 8 and "31 others" in found


# In the fruit three photos are out of focus.
REAL = {
    "fern": 1,
    "room": 1,
    "room-colmap": 2,
    "lego": 2,
    "fox": 4,
    "fruit": 1,
}
SOFT = {"newfruit_small/IMG_3637.jpg", "newfruit_small/IMG_3692.jpg", "newfruit_small/IMG_3700.jpg"}


@pytest.mark.parametrize("name", REAL)
def test_real_captures(data_dir, name):
    scene = open_source(data_dir / "scenes" / name, REAL[name]).content
    before = photo_doubts(scene)
    assert len(before) == (name == "fruit") and all(soft in before[0] for soft in SOFT if before)
    (found,) = photo_doubts(changed(scene, 9, lambda picture: picture.filter(BLUR)))
    assert scene.names[9] in found
