"""What is held out is never trained on, and a figure is called by what it is."""

import json
import math
import shutil

import pytest
from PIL import Image

from fieldlr.data import colmap, transforms
from fieldlr.errors import FieldlrError
from tests.data import test_colmap
from tests.data.test_transforms import ring, write

BLENDER = {"fl_x": None, "w": None, "h": None, "camera_angle_x": 2 * math.atan(0.4)}


def blender(folder, part, poses, **more):
    frame = lambda i: {"file_path": f"./{part}/{i:02d}"}  # noqa: E731
    return write(folder, BLENDER, frame, poses, f"transforms_{part}.json", part=part, **more)


def test_a_view_listed_twice_counts_once(tmp_path):
    file = write(tmp_path, poses=ring(10)) / "transforms.json"
    meta = json.loads(file.read_text())
    meta["frames"] += meta["frames"][:4]
    file.write_text(json.dumps(meta))
    shutil.copy(tmp_path / "images/05.png", tmp_path / "images/copy.png")
    meta["frames"].append(meta["frames"][5] | {"file_path": "images/copy.png"})
    file.write_text(json.dumps(meta))
    scene = transforms.read(tmp_path)
    assert scene.names == tuple(f"images/{i:02d}.png" for i in range(10))
    assert scene.test == (0, 8) and not set(scene.train) & set(scene.test)
    assert any("5 views repeat a photo at the same pose" in text for text in scene.warnings)


def test_a_photo_at_two_poses_keeps_the_first(tmp_path):
    file = write(tmp_path, poses=ring(6)) / "transforms.json"
    meta = json.loads(file.read_text())
    meta["frames"].append(meta["frames"][3] | {"file_path": meta["frames"][0]["file_path"]})
    file.write_text(json.dumps(meta))
    scene = transforms.read(tmp_path)
    assert len(scene.images) == 6
    assert any("again at another pose" in text for text in scene.warnings)
    meta["frames"] = [meta["frames"][0]] * 5
    file.write_text(json.dumps(meta))
    with pytest.raises(FieldlrError, match="at least 3 different photos"):
        transforms.read(tmp_path)


def test_colmap_lists_an_image_twice(tmp_path):
    made = test_colmap.shots()
    scene = colmap.read(test_colmap.write(tmp_path, made=[*made, made[2]], text=True))
    assert len(scene.images) == 9
    assert any("1 views repeat" in text for text in scene.warnings)


def test_test_views_that_are_training_views_are_not_held_out(tmp_path):
    blender(tmp_path, "train", ring(10))
    blender(tmp_path, "test", ring(10)[:3])
    scene = transforms.read(tmp_path)
    assert len(scene.images) == 10 and scene.test == (0, 8) and len(scene.train) == 8
    assert "transforms_test.json holds out no photo" in scene.split


def test_without_its_test_photos_the_split_is_another_and_says_so(tmp_path):
    blender(tmp_path, "train", ring(10))
    blender(tmp_path, "test", ring(3, 5.0))
    shutil.rmtree(tmp_path / "test")
    scene = transforms.read(tmp_path)
    assert scene.test == (0, 8) and scene.missing == 3
    assert scene.split.startswith("every 8th view is held out")
    blender(tmp_path, "val", ring(2, 5.0))
    scene = transforms.read(tmp_path)
    assert scene.test == (10, 11) and scene.split.endswith("transforms_val.json")


def test_lists_that_overlap(tmp_path):
    lists = {
        "train_filenames": [f"images/{i:02d}.png" for i in range(7)],
        "val_filenames": [],
        "test_filenames": ["images/06.png", "images/08.png"],
    }
    scene = transforms.read(write(tmp_path, lists))
    assert (scene.train, scene.test) == (tuple(range(7)), (8,))
    assert any("1 photos of test_filenames are in train_filenames" in t for t in scene.warnings)
    scene = transforms.read(write(tmp_path, lists | {"test_filenames": []}))
    assert scene.test == (0,) and 0 not in scene.train and scene.split.startswith("every 8th")


def test_photos_that_are_alike_at_other_poses_are_all_kept(tmp_path):
    write(tmp_path)
    for file in (tmp_path / "images").iterdir():
        Image.new("RGB", (24, 16)).save(file)
    assert len(transforms.read(tmp_path).images) == 9
