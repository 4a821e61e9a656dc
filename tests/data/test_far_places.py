"""Scenes and shapes far from the origin are read, kept and written as those beside it."""

import math

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from fieldlr.data import mesh as meshes
from fieldlr.data import transforms
from fieldlr.data.examples import example
from fieldlr.export import write_mesh
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb, far_offset, place
from fieldlr.geometry.spaces import Space
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import extract, transform
from fieldlr.surface.cleaning import decimate
from tests.data.test_transforms import ring, write

UTM = (500_000.25, 5_000_000.5, 300.0)
BLENDER = {"fl_x": None, "w": None, "h": None, "camera_angle_x": 2 * math.atan(0.4)}


def moved(poses, scale, offset):
    poses = np.array(poses)
    poses[:, :3, 3] = poses[:, :3, 3] * scale + offset
    return poses.tolist()


def blender(folder, poses, border=255):
    """A dark object before one colour, without alpha."""
    frame = lambda i: {"file_path": f"./train/{i:02d}"}  # noqa: E731
    write(folder, BLENDER, frame, poses, "transforms_train.json", part="train")
    for index, file in enumerate(sorted((folder / "train").iterdir())):
        picture = np.full((16, 24, 3), border, np.uint8)
        picture[5:11, 8:16] = 10 * index
        Image.fromarray(picture).save(file)
    return transforms.read(folder)


@pytest.mark.parametrize("scale, offset", [(1, (0, 0, 0)), (10, (0, 0, 0)), (0.1, (7, -3, 2)),
                                           (2, UTM)])  # fmt: skip
def test_the_box_of_blender_files_follows_the_cameras(tmp_path, scale, offset):
    usual = blender(tmp_path / "usual", ring())
    scene = blender(tmp_path / "moved", moved(ring(), scale, offset))
    assert scene.space.kind == usual.space.kind == "box"
    assert scene.frame.scale == pytest.approx(scale * usual.frame.scale, rel=1e-6)
    center = np.array(usual.frame.translation) * scale + offset
    assert np.allclose(scene.frame.translation, center, rtol=0, atol=1e-5 * scale)
    assert torch.allclose(
        scene.cameras.camera_to_world, usual.cameras.camera_to_world, rtol=0, atol=1e-5
    )
    assert any("have no alpha" in warning for warning in scene.warnings)
    # Cameras at 4.3 with half the longer side 0.4 focal lengths wide.
    assert scene.frame.scale == pytest.approx(scale * 0.4 * 4.3, rel=0.05)


def test_photos_with_a_background_are_of_a_world_not_of_an_object(tmp_path):
    scene = blender(tmp_path, ring())
    for index, file in enumerate(sorted((tmp_path / "train").iterdir())):
        noise = np.random.default_rng(index).integers(0, 256, (16, 24, 3), np.uint8)
        Image.fromarray(noise).save(file)
    scene = transforms.read(tmp_path)
    assert scene.space.kind == "contracted"


def test_poses_keep_every_digit(tmp_path):
    poses = moved(ring(), 1.0, UTM)
    scene = transforms.read(write(tmp_path, poses=poses))
    cameras = scene.cameras.camera_to_world.double()
    back = scene.frame.apply(cameras[:, :, 3])
    assert torch.allclose(
        back, torch.tensor(poses, dtype=torch.float64)[:, :3, 3], rtol=0, atol=1e-6
    )


@pytest.fixture(scope="module")
def ball() -> TriangleMesh:
    ball = trimesh.creation.icosphere(subdivisions=3)
    return TriangleMesh(np.asarray(ball.vertices) + UTM, np.asarray(ball.faces))


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".glb"])
def test_exports_keep_places(ball, tmp_path, suffix):
    assert write_mesh(ball, tmp_path / f"ball{suffix}") is None
    back = trimesh.load(tmp_path / f"ball{suffix}", force="mesh", process=False)
    vertices = np.asarray(back.vertices, np.float64)
    if suffix == ".glb":
        x, y, z = vertices.T
        vertices = np.stack([x, -z, y], 1)
    assert np.abs(vertices - ball.vertices).max() < 1e-6
    assert (back.area_faces > 0).all() and back.is_watertight


def test_stl_says_what_it_left_out(ball, tmp_path):
    note = write_mesh(ball, tmp_path / "ball.stl")
    offset = np.loadtxt(tmp_path / "ball-offset.txt")
    assert "ball-offset.txt" in note and "500000" in note
    back = trimesh.load(tmp_path / "ball.stl")
    assert np.abs(back.triangles + offset - ball.vertices[ball.faces]).max() < 1e-6
    near = TriangleMesh(ball.vertices - offset, ball.faces)
    assert write_mesh(near, tmp_path / "ball.stl") is None
    assert not (tmp_path / "ball-offset.txt").exists()


def test_decimation_keeps_places(ball):
    pytest.importorskip("fast_simplification")
    small = decimate(ball, 300)
    radii = np.linalg.norm(small.vertices - UTM, axis=1)
    assert len(small.faces) < 400 and np.abs(radii - 1.0).max() < 0.1


def test_shapes_are_read_as_those_beside_the_origin(ball, tmp_path):
    write_mesh(ball, tmp_path / "far.ply")
    write_mesh(transform_by(ball, [-v for v in UTM]), tmp_path / "near.ply")
    far, near = (meshes.read(tmp_path / f"{name}.ply", 32) for name in ("far", "near"))
    assert far.shape == near.shape and (far.dense() == near.dense()).mean() > 0.999
    assert np.allclose(np.array(far.aabb.center) + far.frame.translation, UTM, atol=1e-5)
    assert near.frame.translation == (0.0, 0.0, 0.0)
    assert far.mesh is not None and np.abs(far.mesh.vertices).max() < 2.0
    usual = meshes.read(example("vase"), 32)
    assert usual.frame.translation == (0.0, 0.0, 0.0)


def transform_by(mesh, offset):
    return TriangleMesh(mesh.vertices + offset, mesh.faces)


def test_fields_answer_in_the_users_frame(ball, tmp_path):
    write_mesh(ball, tmp_path / "far.ply")
    volume = meshes.read(tmp_path / "far.ply", 32)
    space = Space("box", volume.aabb)
    field = OccupancyField(FieldConfig(), space, volume.frame)
    field.level = lambda points: 1.0 - (points + 1e-9).norm(dim=-1)  # a ball about the offset
    inside = field.inside(np.add(UTM, [[0.0, 0.0, 0.2], [0.0, 0.0, 1.06]]))
    assert inside.tolist() == [True, False]
    surface = transform(extract(field.level, volume.aabb, 32).mesh, volume.frame)
    assert np.abs(surface.vertices.mean(0) - volume.frame.translation).max() < 0.1


def test_offsets_are_whole_where_they_are_needed():
    assert far_offset(Aabb((-1.0,) * 3, (1.0,) * 3)) == (0.0, 0.0, 0.0)
    assert far_offset(Aabb((500_000.2, 9.0, 0.0), (500_002.2, 11.0, 2.0))) == (500_001.0, 10.0, 1.0)
    low, high = (0.5, 0.5, 0.5), (0.5001, 0.5001, 0.5001)
    assert far_offset(Aabb(low, high))[0] == pytest.approx(0.50005, abs=1e-4)
    assert place((500_000.25, -0.0001, 2), 10.0) == "(500000.25, 0, 2)"
