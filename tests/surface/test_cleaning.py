import numpy as np
import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import (
    decimate,
    extract,
    largest_component,
    transform,
)


@pytest.fixture(scope="module")
def two_spheres() -> TriangleMesh:
    centers = torch.tensor([[-0.45, 0.0, 0.0], [0.6, 0.0, 0.0]])
    radii = torch.tensor([0.4, 0.2])
    mesh = extract(
        lambda p: (radii - torch.cdist(p, centers)).amax(-1), Aabb((-1, -1, -1), (1, 1, 1)), 60
    ).mesh
    colors = np.where(mesh.vertices[:, :1] < 0.1, [[255, 0, 0]], [[0, 0, 255]]).astype(np.uint8)
    return TriangleMesh(mesh.vertices, mesh.faces, colors)


def test_components(two_spheres):
    large = largest_component(two_spheres)
    assert two_spheres.euler_number == 4 and large.euler_number == 2
    assert large.vertices[:, 0].max() < 0 and (large.colors == [255, 0, 0]).all()


def test_a_hole_or_a_flipped_face_is_not_watertight(two_spheres):
    faces = two_spheres.faces.copy()
    faces[0] = faces[0, ::-1]
    assert two_spheres.is_watertight
    assert not TriangleMesh(two_spheres.vertices, faces).is_watertight
    assert not TriangleMesh(two_spheres.vertices, faces[1:]).is_watertight


def test_decimation_keeps_shape_and_colour(two_spheres):
    pytest.importorskip("fast_simplification", reason="needs the extra mesh")
    few = decimate(two_spheres, 600)
    assert abs(len(few.faces) - 600) <= 6
    assert few.is_watertight and few.euler_number == 4
    left = few.vertices[:, 0] < 0.1
    radii = np.linalg.norm(few.vertices[left] - [-0.45, 0, 0], axis=1)
    assert abs(radii - 0.4).max() < 0.01
    assert (few.colors[left] == [255, 0, 0]).all() and (few.colors[~left] == [0, 0, 255]).all()
    with pytest.raises(FieldlrError, match="at least 4"):
        decimate(two_spheres, 3)


def test_a_similarity_moves_vertices_and_keeps_the_outside_outside(two_spheres):
    turn = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    moved = transform(two_spheres, Similarity(turn, 2.0, (5.0, 0.0, 0.0)))
    x, y, z = two_spheres.vertices.T
    assert np.allclose(moved.vertices, np.stack([5 - 2 * y, 2 * x, 2 * z], 1))
    mirror = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    volumes = [
        np.linalg.det(mesh.vertices[mesh.faces]).sum()
        for mesh in (two_spheres, moved, transform(two_spheres, Similarity(mirror)))
    ]
    assert volumes[1] == pytest.approx(8 * volumes[0])
    assert volumes[2] == pytest.approx(volumes[0])


def test_an_empty_mesh_passes_through():
    empty = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), np.int64))
    assert len(largest_component(empty).faces) == 0
    assert len(decimate(empty, 10).faces) == 0
