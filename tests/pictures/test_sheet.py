"""A sheet is a PNG whose cells hold the pictures where the layout says."""

import numpy as np
import pytest
from PIL import Image

from fieldlr.errors import FieldlrError
from fieldlr.pictures.sheet import Picture, Row, sheet

RED = np.full((20, 20, 3), (200, 10, 20), np.uint8)


def blocks(path, color):
    """Bounding box (left, top, right, bottom) of the pixels of one colour."""
    rows, columns = np.nonzero((np.asarray(Image.open(path)) == color).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_pictures_stand_in_cells_of_the_stated_size(tmp_path):
    blue = np.full((300, 150, 3), (10, 20, 200), np.uint8)
    path = sheet([Row("a", [Picture(RED), Picture(blue)])], tmp_path / "s.png", cell=120)
    left, top, right, bottom = blocks(path, (200, 10, 20))
    assert (right - left, bottom - top) == (118, 118)  # a frame of one pixel
    other = blocks(path, (10, 20, 200))
    assert (other[2] - other[0], other[3] - other[1]) == (59, 118)
    assert other[1] == top and other[0] > right


def test_rows_title_headings_and_captions_take_their_room(tmp_path):
    def height(name, rows, **words):
        with Image.open(sheet(rows, tmp_path / name, **words)) as page:
            return page.height

    plain = height("1.png", [Row("a", [Picture(RED)])])
    assert height("2.png", [Row("a", [Picture(RED)])] * 2) > plain + 240
    assert height("3.png", [Row("a", [Picture(RED)])], title="T") > plain
    assert height("4.png", [Row("a", [Picture(RED)])], columns=("photo",)) > plain
    assert height("5.png", [Row("a", [Picture(RED, "27.3 dB")])]) > plain


def test_every_kind_of_image_is_taken_and_alpha_shows_white(tmp_path):
    clear = np.zeros((20, 20, 4), np.uint8)
    kinds = [Picture(RED), Picture(RED[..., 0]), Picture(RED[..., :1]), Picture(clear)]
    page = Image.open(sheet([Row("", kinds)], tmp_path / "s.png", cell=100))
    assert page.format == "PNG" and page.mode == "RGB"
    assert page.getpixel((36 + 3 * 114 + 50, 36 + 50)) == (255, 255, 255)
    assert page.getpixel((36 + 114 + 50, 36 + 50)) == (200, 200, 200)


def test_small_pictures_stay_crisp(tmp_path):
    checks = (np.indices((4, 4)).sum(0) % 2 * 255).astype(np.uint8)
    page = Image.open(sheet([Row("", [Picture(checks)])], tmp_path / "s.png", cell=202))
    inside = np.asarray(page)[40:230, 40:230, 0]
    assert np.isin(inside, (0, 255)).mean() > 0.9


def test_a_rerun_gives_the_same_file_and_leaves_no_other(tmp_path):
    first = sheet([Row("a", [Picture(RED)])], tmp_path / "new" / "s.png").read_bytes()
    assert sheet([Row("a", [Picture(RED)])], tmp_path / "new" / "s.png").read_bytes() == first
    assert [f.name for f in (tmp_path / "new").iterdir()] == ["s.png"]


@pytest.mark.parametrize("rows", [[], [Row("a")], [Row("a", [Picture(RED / 255.0)])]])
def test_invalid_pictures_are_refused(rows, tmp_path):
    with pytest.raises(FieldlrError, match="picture"):
        sheet(rows, tmp_path / "s.png")
    assert not list(tmp_path.iterdir())
