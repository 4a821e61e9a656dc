"""A copied photo shows what the original shows, whoever reads it."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from fieldlr.data.upright import copy_photos, copy_upright
from fieldlr.errors import FieldlrError

ORIENTATION, MODEL = 0x0112, 0x0110
STORED = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((16, 16), np.uint8))


def save(path, picture=None, **tags):
    """A picture of six grey blocks with EXIF tags; returns its path."""
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"orientation": ORIENTATION, "model": MODEL}[name]] = value
    picture = Image.fromarray(STORED).convert("RGB") if picture is None else picture
    picture.save(path, exif=exif, quality=98)
    return path


def pixels(path) -> np.ndarray:
    """As a tool that knows nothing of EXIF reads them."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_plain_photo_is_the_same_file(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(STORED).convert("RGB").save(path)
    copied = copy_upright(path, tmp_path / "y")
    assert copied.path.name == f"y{suffix}"
    assert copied.path.read_bytes() == path.read_bytes()
    assert copied.lens[0] == (48, 32)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_turned_photo_is_turned(tmp_path, suffix, orientation):
    path = save(tmp_path / f"x{suffix}", orientation=orientation)
    with Image.open(path) as picture:
        seen = np.asarray(ImageOps.exif_transpose(picture).convert("RGB")).astype(int)
    copied = copy_upright(path, tmp_path / "y")
    assert pixels(copied.path).shape == seen.shape
    assert np.abs(pixels(copied.path) - seen).mean() < 2
    with Image.open(copied.path) as picture:
        assert picture.getexif().get(ORIENTATION, 1) == 1
    assert copied.lens[0] == (seen.shape[1], seen.shape[0])


@pytest.mark.parametrize("suffix", [".webp", ".tif"])
def test_a_rarer_format_becomes_png_without_a_change(tmp_path, suffix):
    path = save(tmp_path / f"x{suffix}")
    copied = copy_upright(path, tmp_path / "y")
    assert copied.path.name == "y.png"
    assert (pixels(copied.path) == pixels(path)).all()


def test_photos_of_one_size_and_camera_share_a_lens(tmp_path):
    pictures = {"a": {"model": "One"}, "b": {"model": "One", "orientation": 3}, "c": {}}
    lenses = {
        name: copy_upright(save(tmp_path / f"{name}.jpg", **tags), tmp_path / f"{name}2").lens
        for name, tags in pictures.items()
    }
    assert lenses["a"] == lenses["b"] != lenses["c"]
    with Image.open(tmp_path / "b2.jpg") as turned:
        assert turned.getexif()[MODEL] == "One"


def test_a_turned_cmyk_photo_is_read(tmp_path):
    picture = Image.fromarray(STORED).convert("RGB").convert("CMYK")
    copied = copy_upright(save(tmp_path / "x.jpg", picture, orientation=6), tmp_path / "y")
    assert pixels(copied.path).shape == (48, 32, 3)


def test_corrupt_exif_is_ignored(tmp_path):
    path = tmp_path / "x.jpg"
    Image.fromarray(STORED).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 64)
    assert copy_upright(path, tmp_path / "y").path.read_bytes() == path.read_bytes()


def test_invalid_photos_are_refused(tmp_path):
    (tmp_path / "x.jpg").write_text("not a photo")
    with pytest.raises(FieldlrError, match=r"x\.jpg: not a readable photo"):
        copy_upright(tmp_path / "x.jpg", tmp_path / "y")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_the_focal_length_stays_with_a_copy(tmp_path, suffix):
    exif = Image.Exif()
    exif[MODEL], exif[ORIENTATION] = "One", 6
    exif.get_ifd(0x8769).update({0x920A: 4.25, 0xA405: 26})
    Image.fromarray(STORED).convert("RGB").save(tmp_path / f"x{suffix}", exif=exif)
    copied = copy_upright(tmp_path / f"x{suffix}", tmp_path / "y")
    with Image.open(copied.path) as picture:
        tags = picture.getexif()
        assert tags[MODEL] == "One" and tags.get(ORIENTATION, 1) == 1
        assert tags.get_ifd(0x8769)[0xA405] == 26


def test_all_that_cannot_be_read_are_named(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_text("not a photo")
    good = save(tmp_path / "d.jpg")
    files = [tmp_path / "a.jpg", good, tmp_path / "b.jpg", tmp_path / "c.jpg"]
    copied = copy_photos(files, tmp_path)
    assert next(copied).path.stem == "00001"
    with pytest.raises(FieldlrError, match=r"(?s)3 photos.*a\.jpg.*b\.jpg.*c\.jpg"):
        next(copied)
