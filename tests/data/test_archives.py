"""A .zip as a source is what it contains; what it cannot be is said by its own name."""

import tempfile
import zipfile

import numpy as np
import pytest

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from tests.data.test_colmap import write


def packed(path, folder):
    """A zip of everything under a folder."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


@pytest.fixture
def capture(tmp_path):
    """A COLMAP model as made for known poses: its points3D.txt is empty."""
    folder = write(tmp_path / "capture", text=True)
    (folder / "sparse/0/points3D.txt").write_bytes(b"")
    return folder


def test_it_is_read_as_its_folder_is_and_leaves_nothing(tmp_path, capture, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    source = open_source(packed(tmp_path / "capture.zip", capture))
    expected = open_source(capture)
    assert (source.kind, source.format) == ("photos", "COLMAP")
    assert source.content.content_hash == expected.content.content_hash
    assert source.content.name == expected.content.name == "capture"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_mesh_or_a_volume_in_it_is_read(tmp_path):
    grid = np.zeros((4, 5, 6), bool)
    grid[1:3, 1:3, 1:3] = True
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/block.npy", grid)
    source = open_source(packed(tmp_path / "some.zip", tmp_path / "in"))
    assert source.kind == "volume" and source.content.shape == (4, 5, 6)


def test_errors_name_the_archive(tmp_path, capture):
    (capture / "sparse/0/images.txt").write_text("1 2 3 x\n")
    with pytest.raises(FieldlrError, match=r"capture\.zip/sparse/0/images\.txt"):
        open_source(packed(tmp_path / "capture.zip", capture))
    with pytest.raises(FieldlrError, match=r"within it: leave out `images`"):
        open_source(tmp_path / "capture.zip", images="images")


def test_photos_without_poses_are_refused_with_advice(tmp_path, capture):
    with pytest.raises(FieldlrError, match=r"without camera poses.*fieldlr poses FOLDER"):
        open_source(packed(tmp_path / "photos.zip", capture / "images"))
    (tmp_path / "bad.zip").write_bytes(b"PK")
    with pytest.raises(FieldlrError, match="corrupt or incomplete"):
        open_source(tmp_path / "bad.zip")
