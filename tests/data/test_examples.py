"""The bundled sources are complete, small, watertight, and state their cameras exactly."""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from fieldlr.data.examples import EXAMPLES, example
from fieldlr.errors import FieldlrError

SCRIPTS = Path(__file__).resolve().parents[2] / "scenes"
MESHES = [name for name, path in EXAMPLES.items() if path.startswith("meshes/")]
FLIP = np.diag([1.0, -1.0, -1.0])


def test_every_example_is_found_and_an_unknown_one_is_a_mistake():
    assert all(example(name).exists() for name in EXAMPLES)
    with pytest.raises(FieldlrError, match="choose one of windmill"):
        example("teapot")


def test_all_examples_stay_small():
    folders = {example("vase").parent, example("shelf").parent}
    size = sum(f.stat().st_size for d in folders for f in d.rglob("*") if f.is_file())
    assert size < 10e6


def test_every_source_says_where_it_comes_from():
    for name in EXAMPLES:
        path = example(name)
        folder = path if path.is_dir() else path.parent
        assert "Apache-2.0" in (folder / "SOURCE.md").read_text()


@pytest.mark.parametrize("name", MESHES)
def test_meshes_are_watertight_and_outward(name):
    mesh = trimesh.load(example(name), force="mesh")
    assert 20_000 <= len(mesh.faces) <= 60_000
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0


def test_the_meshes_have_the_bodies_that_they_promise():
    chain = trimesh.load(example("chain"), force="mesh")
    assert chain.body_count == 12
    low, high = chain.bounds
    assert (high - low).argmin() == 1  # glTF is +Y up, and the bracelet lies flat
    coral = trimesh.load(example("coral"), force="mesh")
    assert coral.euler_number < -40


def read_size(path):
    with Image.open(path) as image:
        return image.size, image.mode


def test_the_blender_scene_is_complete():
    for split, count in (("train", 60), ("test", 8)):
        meta = json.loads((example("windmill") / f"transforms_{split}.json").read_text())
        assert len(meta["frames"]) == count and 0.5 < meta["camera_angle_x"] < 1.0
        for frame in meta["frames"]:
            picture = example("windmill") / (frame["file_path"] + ".png")
            assert read_size(picture) == ((128, 128), "RGBA")
            check_pose(np.array(frame["transform_matrix"])[:3], target=(0.0, 0.0, 0.55))


def test_the_object_is_inside_the_picture_before_transparency():
    for picture in (example("windmill") / "train").iterdir():
        with Image.open(picture) as image:
            alpha = np.asarray(image)[..., 3]
        border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert border.max() == 0 and 0.1 < (alpha > 128).mean() < 0.7


def test_the_llff_scene_is_complete():
    rows = np.load(example("shelf") / "poses_bounds.npy", allow_pickle=False)
    pictures = sorted((example("shelf") / "images").iterdir())
    assert rows.shape == (24, 17) and len(pictures) == 24
    for row, picture in zip(rows, pictures, strict=True):
        assert read_size(picture) == ((128, 96), "RGB")
        camera_to_world, size = from_llff(row)
        assert size == (96, 128, 132)
        check_pose(camera_to_world, target=(0.0, 0.3, 1.13))
        assert 0 < row[15] < row[16] < 10


def test_colmap_tracks_reproject_exactly():
    images, points, (width, height, *focal) = from_colmap(example("courtyard") / "sparse" / "0")
    assert len(images) == 40 and (width, height) == (128, 96) and len(points) > 300
    for name, camera_to_world, observations in images:
        assert read_size(example("courtyard") / "images" / name) == ((128, 96), "RGB")
        check_pose(camera_to_world, target=(0.0, 0.0, 0.85))
        xyz = np.array([points[k][0] for k in observations["point"]])
        local = (xyz - camera_to_world[:, 3]) @ camera_to_world[:, :3] @ FLIP
        assert (local[:, 2] > 0).all()
        pixels = local[:, :2] / local[:, 2:] * focal[:2] + focal[2:]
        np.testing.assert_allclose(pixels, observations["xy"], atol=1e-6)


def test_colmap_points_and_pictures_name_each_other():
    images, points, _ = from_colmap(example("courtyard") / "sparse" / "0")
    for k, (_, track) in points.items():
        assert len(track) >= 3
        assert all(images[image - 1][2]["point"][position] == k for image, position in track)
    assert sum(len(t) for _, t in points.values()) == sum(len(o["point"]) for *_, o in images)


def test_colmap_points_have_the_colour_of_the_pictures():
    """A flipped axis or a shifted pixel would tear photo and geometry apart."""
    images, points, _ = from_colmap(example("courtyard") / "sparse" / "0", colors=True)
    errors = []
    for name, _, observations in images:
        with Image.open(example("courtyard") / "images" / name) as image:
            pixels = np.asarray(image).astype(float)
        column, row = observations["xy"].astype(int).T
        expected = np.array([points[k][0] for k in observations["point"]])
        errors.append(np.abs(pixels[row, column] - expected).mean(1))
    assert np.median(np.concatenate(errors)) < 16


def test_the_three_layouts_state_the_same_cameras(tmp_path, monkeypatch):
    pytest.importorskip("embreex")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    try:
        import layouts
        import raycast

        places = ((3, 1, 2), (-2, 3, 0.5), (-0.1, -4, -1))
        cameras = [raycast.Camera(raycast.look_at(p, (0, 0, 0.3)), 20.0, 16, 12) for p in places]
        shots = [(c, np.zeros((12, 16, 4), np.uint8)) for c in cameras]
        layouts.write_blender(tmp_path / "blender", {"train": shots})
        layouts.write_llff(tmp_path / "llff", shots, [(1, 2)] * 3)
        seen = np.array([0])
        tracked = [(*shot, seen) for shot in shots]
        layouts.write_colmap(tmp_path / "colmap", tracked, np.zeros((1, 3)), np.zeros((1, 3), int))
    finally:
        for name in ("layouts", "raycast"):
            sys.modules.pop(name, None)
    blender = json.loads((tmp_path / "blender" / "transforms_train.json").read_text())
    llff = np.load(tmp_path / "llff" / "poses_bounds.npy")
    images, _, (_, _, *focal) = from_colmap(tmp_path / "colmap" / "sparse" / "0")
    assert 8 / np.tan(blender["camera_angle_x"] / 2) == pytest.approx(20.0)
    assert focal == [20.0, 20.0, 8.0, 6.0]
    for i, camera in enumerate(cameras):
        pose = camera.camera_to_world
        matrix = np.array(blender["frames"][i]["transform_matrix"])
        np.testing.assert_allclose(matrix[:3], pose, atol=1e-12)
        np.testing.assert_allclose(from_llff(llff[i])[0], pose, atol=1e-12)
        np.testing.assert_allclose(images[i][1], pose, atol=1e-12)


def check_pose(camera_to_world, target):
    """A proper rotation, upright, whose optical axis meets the target."""
    rotation, position = camera_to_world[:, :3], camera_to_world[:, 3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) > 0
    assert abs(rotation[2, 0]) < 1e-9 and rotation[2, 1] > 0
    backward = (position - target) / np.linalg.norm(position - target)
    np.testing.assert_allclose(rotation[:, 2], backward, atol=1e-9)


def from_llff(row):
    """(camera_to_world in the OpenGL frame, (height, width, focal))."""
    down, right, backward, position, size = row[:15].reshape(3, 5).T
    return np.stack([right, -down, backward, position], 1), tuple(size)


def from_colmap(folder, colors=False):
    """([(name, camera_to_world, observations)], id -> (xyz or rgb, track), camera)."""
    data = (folder / "cameras.bin").read_bytes()
    assert struct.unpack_from("<QIi", data) == (1, 1, 1)
    camera = struct.unpack_from("<QQ4d", data, 16)
    data, images = Reader((folder / "images.bin").read_bytes()), []
    for number in range(data.take("<Q")[0]):
        image, w, x, y, z, *translation, _ = data.take("<I7di")
        assert image == number + 1
        rotation = trimesh.transformations.quaternion_matrix((w, x, y, z))[:3, :3]
        pose = np.column_stack([rotation.T @ FLIP, -rotation.T @ translation])
        name = data.text()
        rows = [data.take("<2dq") for _ in range(data.take("<Q")[0])]
        xy = np.array([row[:2] for row in rows])
        images.append((name, pose, {"xy": xy, "point": [row[2] for row in rows]}))
    assert data.finished
    data, points = Reader((folder / "points3D.bin").read_bytes()), {}
    for _ in range(data.take("<Q")[0]):
        key, x, y, z, *rgb, _error = data.take("<Q3d3Bd")
        track = [data.take("<2i") for _ in range(data.take("<Q")[0])]
        points[key] = (np.array(rgb) if colors else np.array([x, y, z]), track)
    assert data.finished
    return images, points, camera


class Reader:
    """Reads packed values one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, pattern):
        values = struct.unpack_from(pattern, self.data, self.at)
        self.at += struct.calcsize(pattern)
        return values

    def text(self):
        end = self.data.index(b"\0", self.at)
        text, self.at = self.data[self.at : end].decode(), end + 1
        return text

    @property
    def finished(self):
        return self.at == len(self.data)
