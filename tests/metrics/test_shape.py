"""Hand-made numbers for solids and surfaces."""

import math

import numpy as np
import pytest
import torch
import trimesh

from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.metrics.shape import closest_on_triangles, iou, surface_distances


def sphere(radius=1.0, center=(0.0, 0.0, 0.0), turned=False) -> TriangleMesh:
    body = trimesh.creation.icosphere(4, radius=radius)
    faces = np.asarray(body.faces, np.int64)
    return TriangleMesh(body.vertices + center, faces[:, ::-1] if turned else faces)


def square(height: float) -> TriangleMesh:
    corners = np.array([[0, 0, height], [1, 0, height], [1, 1, height], [0, 1, height]], float)
    return TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))


def test_iou_by_hand():
    a, b = np.array([1, 1, 1, 0, 0], bool), np.array([0, 1, 1, 1, 0], bool)
    assert iou(a, b) == 0.5
    assert iou(torch.from_numpy(a), torch.from_numpy(b)) == 0.5
    assert iou(a, ~a) == 0.0
    assert iou(a & ~a, a & ~a) == 1.0
    with pytest.raises(ValueError, match="different"):
        iou(a, b[None])


def test_parallel_squares():
    d = surface_distances(square(0.0), square(0.005), 2000)
    assert (d.accuracy, d.completeness, d.chamfer_l1) == pytest.approx((0.005,) * 3)
    assert (d.signed_offset, d.normals, d.longest_edge) == pytest.approx((0.005, 1.0, 1.0))
    assert d.fscore_1pct == 1.0
    far = surface_distances(square(0.0), square(-0.02), 2000)
    assert far.fscore_1pct == 0.0
    assert far.signed_offset == pytest.approx(-0.02)


def test_half_a_square_is_accurate_and_not_complete():
    half = TriangleMesh(square(0.0).vertices * [0.5, 1.0, 1.0], square(0.0).faces)
    d = surface_distances(square(0.0), half, 20_000)
    assert d.accuracy == pytest.approx(0.0, abs=1e-6)
    assert d.completeness == pytest.approx(0.125, rel=0.01)
    recall = 0.51
    assert d.fscore_1pct == pytest.approx(2 * recall / (1 + recall), rel=0.01)


def test_growing_shows_in_the_offset_and_moving_in_the_shift():
    grown = surface_distances(sphere(), sphere(1.01), 20_000)
    assert grown.signed_offset == pytest.approx(0.01, rel=0.02)
    assert grown.signed_offset_relative == pytest.approx(0.005, rel=0.02)
    voxel = 2.0 / 256
    moved = surface_distances(sphere(), sphere(center=(voxel / 2, 0.0, -voxel / 2)), 20_000)
    assert moved.shift == pytest.approx((voxel / 2, 0.0, -voxel / 2), abs=0.05 * voxel)
    assert moved.chamfer_l1_relative > 0.001
    same = surface_distances(sphere(), sphere(), 20_000)
    assert same.chamfer_l1_relative < 1e-4
    assert same.normals > 0.999
    turned = surface_distances(sphere(turned=True), sphere(1.01), 5000)
    assert turned.signed_offset < 0


def test_samples_do_not_hide_large_triangles_beside_small_ones():
    # Many heights are exactly zero here: where denormals are flushed, a careless search crashes.
    torch.set_flush_denormal(True)
    fine = sphere(0.01, (0.5, 0.5, 0.5))
    ground = square(0.0)
    both = TriangleMesh(
        np.concatenate([ground.vertices, fine.vertices]),
        np.concatenate([ground.faces, fine.faces + 4]),
    )
    assert surface_distances(both, ground, 5000).accuracy == pytest.approx(0.0, abs=1e-9)


def test_an_empty_mesh_gets_the_worst():
    empty = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    d = surface_distances(sphere(), empty)
    assert (d.chamfer_l1_relative, d.normals, d.fscore_1pct) == (math.sqrt(3.0), -1.0, 0.0)
    assert math.isnan(d.signed_offset)


def test_the_nearest_point_of_a_triangle_against_trimesh():
    random = np.random.default_rng(0)
    corners, points = random.normal(size=(2000, 3, 3)), 2 * random.normal(size=(2000, 3))
    expected = trimesh.triangles.closest_point(corners, points)
    np.testing.assert_allclose(closest_on_triangles(points, corners), expected, atol=1e-9)


def test_equal_seeds_give_equal_figures():
    one, two = (surface_distances(sphere(), sphere(1.1), 500, seed=3) for _ in range(2))
    assert one == two
