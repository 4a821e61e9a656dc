"""Which files are photos, in which order, and which two of them are matched."""

import math
from pathlib import Path

import pytest

from fieldlr.data.images import IMAGE_SUFFIXES
from fieldlr.data.picture_folder import (
    EXHAUSTIVE_PHOTOS,
    NEIGHBOURS,
    distinct_photos,
    photo_files,
    photo_pairs,
)
from fieldlr.errors import FieldlrError


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_pictures_of_every_suffix_count_as_photos(tmp_path, suffix):
    names = [f"{number}{suffix}" for number in range(3)]
    assert [file.name for file in photo_files(touch(tmp_path, *names))] == names


def test_photos_come_in_the_order_in_which_people_count(tmp_path):
    names = "a10.jpg", "a9.png", "B1.JPG", "._a9.png", "notes.txt", "a9.tif"
    found = [file.name for file in photo_files(touch(tmp_path, *names))]
    assert found == ["a9.png", "a9.tif", "a10.jpg", "B1.JPG"]


def test_too_few_photos_say_where_there_are_more(tmp_path):
    touch(tmp_path / "images", *(f"{number}.jpg" for number in range(5)))
    with pytest.raises(FieldlrError, match=r"contains 0\. There are pictures in images"):
        photo_files(tmp_path)
    with pytest.raises(FieldlrError, match=r"at least 3 photos.*contains 2.*as \.jpg"):
        photo_files(touch(tmp_path / "two", "a.jpg", "b.jpg"))
    with pytest.raises(FieldlrError, match=r"contains 0.*Most Compatible"):
        photo_files(touch(tmp_path / "phone", "a.heic", "b.HEIC", "c.heic"))
    with pytest.raises(FieldlrError, match="is none"):
        photo_files(tmp_path / "nowhere")


def test_copies_of_a_photo_are_set_aside(tmp_path):
    contents = {"a.jpg": b"one", "b.jpg": b"two", "c.jpg": b"one", "d.jpg": b"four"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files, copies = distinct_photos(photo_files(tmp_path))
    assert [file.name for file in files] == ["a.jpg", "b.jpg", "d.jpg"]
    assert copies == {"c.jpg": "a.jpg"}
    (tmp_path / "d.jpg").write_bytes(b"two")
    with pytest.raises(FieldlrError, match=r"only 2 differ: c\.jpg has the content of a\.jpg"):
        distinct_photos(photo_files(tmp_path))


@pytest.mark.parametrize("count", [3, EXHAUSTIVE_PHOTOS])
def test_few_photos_are_all_matched(count):
    assert len(set(photo_pairs(count))) == count * (count - 1) // 2


@pytest.mark.parametrize("count", [EXHAUSTIVE_PHOTOS + 1, 1000])
def test_many_photos_are_matched_with_their_neighbours_in_a_ring(count):
    pairs = photo_pairs(count)
    assert len(pairs) == len(set(pairs)) < count * (NEIGHBOURS + math.log2(count))
    assert all(0 <= first < second < count for first, second in pairs)
    assert {(0, 1), (0, NEIGHBOURS), (0, count - 1), (5, 5 + 64)} <= set(pairs)
    assert (0, NEIGHBOURS + 1) not in pairs
