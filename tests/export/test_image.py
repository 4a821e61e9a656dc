import numpy as np
import pytest
from PIL import Image

from fieldlr.errors import FieldlrError
from fieldlr.export import EXPORTERS, depth_picture, write_depth, write_image
from fieldlr.export.image import turbo


def test_bytes_come_back_and_floats_are_rounded(tmp_path):
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    for given in (image, image / 255.0, image.astype(np.float32) / 255):
        EXPORTERS[".png"].write(given, tmp_path / "a.png")
        assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
    write_image(np.array([[-1.0, 2.0, np.nan]]), tmp_path / "b.png")
    assert np.asarray(Image.open(tmp_path / "b.png")).tolist() == [[0, 255, 0]]
    with pytest.raises(FieldlrError, match=r"a\.jpg"):
        write_image(image, tmp_path / "a.jpg")


def test_depth_keeps_its_units_and_shows_near_warm_and_nothing_black(tmp_path):
    depth = np.linspace(1.0, 10.0, 600).reshape(20, 30)
    depth[0, :5] = 0.0
    depth[0, 5:10] = np.inf
    write_depth(depth, tmp_path / "depth.npy")
    assert np.array_equal(np.load(tmp_path / "depth.npy"), depth.astype(np.float32))
    picture = np.asarray(Image.open(tmp_path / "depth.png")).astype(int)
    assert (picture[0, :10] == 0).all()
    near, far = picture[0, 12], picture[7, 0]
    assert near[0] > near[2] and far[2] > far[0]
    assert (depth_picture(np.zeros((3, 4))) == 0).all()


def test_turbo_is_the_published_map():
    """Its table's ends and middle (Mikhailov 2019), to the error of the polynomial."""
    published = np.array([[48, 18, 59], [164, 252, 60], [122, 4, 3]])
    assert abs(turbo(np.array([0.0, 0.5, 1.0])).astype(int) - published).max() <= 32
