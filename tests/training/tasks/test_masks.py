"""What a mask hides has no influence: not on a fit, not on its figures, at no size."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid
from fieldlr.training.tasks.radiance import RadianceTask
from fieldlr.training.tasks.radiance_settings import RadianceSettings

VIEWS, SIZE = 9, (48, 36)
CONFIG = FieldConfig(encoding=DenseGrid(2, 4, 8, 16), activation=Relu(), width=16, depth=1)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hidden(index: int, size: tuple[int, int]) -> np.ndarray:
    """Booleans (H, W): a person who walks through the pictures, at odd pixels, and the sky."""
    width, height = size
    marked = np.zeros((height, width), bool)
    marked[: height // 5] = True
    marked[height // 3 :, 1 + 3 * index : 1 + 3 * index + 7] = True
    return marked


def write(folder, noise: int | None = None, alpha: bool = False):
    """A COLMAP capture with masks; what they hide is replaced by noise of that seed."""
    shutil.copytree(example("courtyard") / "sparse", folder / "sparse")
    names = sorted((example("courtyard") / "images").iterdir())
    generator = np.random.default_rng(noise)
    for place in ("images", "masks"):
        (folder / place).mkdir()
    for index, file in enumerate(names[::5][: VIEWS - 1] + names[-1:]):
        picture = Image.open(file).convert("RGBA" if alpha else "RGB").resize(SIZE)
        pixels, marked = np.array(picture), hidden(index, picture.size)
        if noise is not None:
            pixels[marked] = generator.integers(0, 256, (marked.sum(), pixels.shape[-1]))
        # A PNG by its content, under the name that the model knows.
        Image.fromarray(pixels).save(folder / "images" / file.name, "PNG")
        Image.fromarray(np.where(marked, 0, 255).astype(np.uint8)).save(
            folder / "masks" / f"{file.name}.png"
        )
    return folder


def fitted(scene):
    """(the field's parameters, its figures) after a few steps."""
    task = RadianceTask(scene, RadianceSettings(rays_per_step=128))
    generator = torch.Generator().manual_seed(0)
    field = task.make_field(CONFIG, generator)
    adam = torch.optim.Adam(task.parameter_groups(field))
    for step in range(6):
        loss, _ = task.loss(field, generator, step / 6)
        adam.zero_grad()
        loss.backward()
        adam.step()
    figures = task.evaluate(field) | {
        "quick": task.quality(field),
        "worst": task.pixels.constant_mse,
    }
    return field.state_dict(), figures


@pytest.mark.parametrize("downscale", [1, 2, 3])
def test_noise_behind_a_mask_changes_no_bit_of_a_fit(tmp_path, downscale):
    results = []
    for noise in (None, 1):
        source = open_source(write(tmp_path / f"source-{noise}", noise), downscale)
        results.append(fitted(source.content))
    (fields, figures), (others, other_figures) = results
    assert all(torch.equal(fields[name], others[name]) for name in fields)
    assert figures["psnr_db"] > 0 and str(figures) == str(other_figures)


def test_noise_behind_a_mask_does_not_move_the_box_of_an_object(tmp_path):
    boxes = []
    for noise in (None, 2):
        source = write(tmp_path / f"source-{noise}", noise, alpha=True)
        boxes.append(open_source(source).content.space)
    assert boxes[0] == boxes[1]


@pytest.mark.parametrize("name", ["{name}.png", "{stem}.png", "{name}"])
def test_a_mask_is_found_under_every_usual_name(tmp_path, name):
    folder = write(tmp_path / "source")
    for file in list((folder / "masks").iterdir()):
        photo = file.name.removesuffix(".png")
        stem = photo.partition(".")[0]
        file.rename(file.with_name(name.format(name=photo, stem=stem)))
    scene = open_source(folder).content
    for index, mask in enumerate(scene.masks):
        assert (mask.numpy() == ~hidden(index, SIZE)).all()


def test_photos_without_a_mask_count_in_full_and_are_named(tmp_path):
    folder = write(tmp_path / "source")
    first, *rest = sorted((folder / "masks").iterdir())
    first.unlink()
    scene = open_source(folder).content
    assert scene.masks[0] is None and scene.masks[1] is not None
    assert any("1 photos have no mask" in warning for warning in scene.warnings)
    for file in rest:
        file.rename(file.with_name(f"other-{file.name}"))
    scene = open_source(folder).content
    assert scene.masks is None
    assert any("holds no mask of any photo" in warning for warning in scene.warnings)


def test_masks_of_jpeg_have_a_level(tmp_path):
    """What is lossy is nowhere quite black."""
    folder = write(tmp_path / "source")
    for file in list((folder / "masks").iterdir()):
        with Image.open(file) as mask:
            mask.save(file.with_name(file.name.removesuffix(".png")), "JPEG", quality=60)
        file.unlink()
    scene = open_source(folder).content
    for index, mask in enumerate(scene.masks):
        assert (mask.numpy() == hidden(index, SIZE)).mean() < 0.05


def test_masks_at_another_size_are_read_and_of_another_shape_refused(tmp_path):
    folder = write(tmp_path / "source")
    file = sorted((folder / "masks").iterdir())[2]
    with Image.open(file) as mask:
        whole = mask.copy()
    whole.resize((whole.width * 2, whole.height * 2), 0).save(file)
    scene = open_source(folder).content
    assert (scene.masks[2].numpy() == ~hidden(2, whole.size)).all()
    whole.rotate(90, expand=True).save(file)
    with pytest.raises(FieldlrError, match="shape of its photo; it is 36 x 48, the photo 48 x 36"):
        open_source(folder)
    file.write_bytes(b"\x89PNG")
    with pytest.raises(FieldlrError, match="not a readable photo"):
        open_source(folder)


def test_masks_that_hide_everything_are_refused(tmp_path):
    folder = write(tmp_path / "source")
    for file in (folder / "masks").iterdir():
        Image.new("L", SIZE).save(file)
    with pytest.raises(FieldlrError, match="masks hide every pixel"):
        open_source(folder)


def striped(folder, visible: int, every: int):
    """Of every so many columns, the masks leave the first few."""
    columns = np.arange(SIZE[0]) % every < visible
    mask = np.repeat(np.where(columns, 255, 0).astype(np.uint8)[None], SIZE[1], 0)
    for file in (folder / "masks").iterdir():
        Image.fromarray(mask).save(file)
    return columns


def test_fine_masks_are_kept_in_reduced_photos_and_their_share_is_reported(tmp_path):
    folder = write(tmp_path / "source")
    columns = striped(folder, 1, 4)
    whole = open_source(folder).content
    reduced = open_source(folder, 4).content
    assert any("25 % of the pixels count" in warning for warning in reduced.warnings)
    for view, mask in enumerate(reduced.masks):
        assert mask.all()
        seen = whole.images[view].float()[:, columns]
        means = seen.view(SIZE[1] // 4, 4, SIZE[0] // 4, 3).mean(1)
        assert (reduced.images[view].float() - means).abs().max() <= 0.5


def test_masks_too_scattered_for_a_reduced_photo_are_refused_with_their_share(tmp_path):
    folder = write(tmp_path / "source")
    striped(folder, 1, 6)
    assert open_source(folder).content.masks[0].any()
    with pytest.raises(FieldlrError, match=r"leave 17 % of the pixels.*Lower `downscale`"):
        open_source(folder, 6)
