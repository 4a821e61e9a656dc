"""Laws of fused depth maps: the surface that was seen, closed or open, without what nobody saw."""

import numpy as np
import pytest
import torch

from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import extract
from fieldlr.surface.cleaning import without_voids
from fieldlr.surface.fusion import DepthMap, Fusion

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
RESOLUTION = 41
CELL = 2.0 / (RESOLUTION - 1)


def around(count=24, size=64):
    """Cameras on a sphere of radius 3 that look at its middle."""
    turn = torch.arange(count) * 2.399963
    height = 1.0 - (torch.arange(count) + 0.5) * (2.0 / count)
    flat = (1.0 - height**2).sqrt()
    backward = torch.stack([flat * turn.cos(), flat * turn.sin(), height], -1)
    right = torch.linalg.cross(torch.tensor([[0.0, 0.0, 1.0]]).expand(count, 3), backward)
    right = torch.nn.functional.normalize(right, dim=-1)
    up = torch.linalg.cross(backward, right)
    poses = torch.stack([right, up, backward, 3.0 * backward], -1)
    lens = torch.tensor([[1.2 * size, 1.2 * size, size / 2, size / 2]]).repeat(count, 1)
    return Cameras(
        poses, lens, torch.tensor([[size, size]]).repeat(count, 1), torch.zeros(count, 6)
    )


def ball(rays, radius=0.7):
    """Distances to a sphere; infinite beside it."""
    along = -(rays.origins * rays.directions).sum(-1)
    gap = radius**2 - ((rays.origins**2).sum(-1) - along**2)
    return torch.where(gap > 0, along - gap.clamp_min(0).sqrt(), torch.inf)


def block(rays):
    """Distances to a box; infinite beside it."""
    enter, leave = Aabb((-0.6, -0.4, -0.5), (0.6, 0.4, 0.5)).intersect(rays)
    return torch.where(leave > enter, enter, torch.inf)


def fusion(shape, cameras, cells=3.0):
    maps = []
    for view in range(len(cameras)):
        depth = shape(cameras.image_rays(view)).view(64, 64)
        maps.append(DepthMap(depth, torch.ones(64, 64)))
    return Fusion(cameras, tuple(maps), cells * CELL)


def distance_to_block(points):
    beyond = np.abs(points) - [0.6, 0.4, 0.5]
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    return np.abs(outside + np.minimum(beyond.max(1), 0.0))


def test_views_of_a_ball_make_that_ball():
    mesh = extract(fusion(ball, around()).level, BOX, RESOLUTION).mesh
    assert mesh.is_watertight and mesh.euler_number == 2
    assert abs(np.linalg.norm(mesh.vertices, axis=1) - 0.7).max() < CELL


def test_views_of_a_block_make_that_block():
    mesh = extract(fusion(block, around(40)).level, BOX, RESOLUTION).mesh
    assert mesh.is_watertight and mesh.euler_number == 2
    assert distance_to_block(mesh.vertices).max() < CELL


def test_an_unseen_side_is_closed_and_marked_unseen():
    cameras = around()
    above = cameras[cameras.camera_to_world[:, 2, 3] > 1.0]
    fused = fusion(ball, above)
    mesh = extract(fused.level, BOX, RESOLUTION).mesh
    assert mesh.is_watertight
    seen = fused.seen(torch.from_numpy(mesh.vertices).float()).numpy()
    north, south = mesh.vertices[:, 2] > 0.2, mesh.vertices[:, 2] < -0.75
    assert seen[north].mean() > 0.99 and seen[south].mean() < 0.01


def test_one_wrong_view_is_outweighed_by_the_others():
    cameras = around()
    fused = fusion(ball, cameras)
    wrong = DepthMap(torch.full((64, 64), 2.0), torch.ones(64, 64))
    mesh = extract(Fusion(cameras, (wrong, *fused.maps[1:]), 3 * CELL).level, BOX, RESOLUTION).mesh
    assert np.quantile(abs(np.linalg.norm(mesh.vertices, axis=1) - 0.7), 0.95) < CELL
    unsure = DepthMap(wrong.depth, torch.zeros(64, 64))
    points = 2.0 * torch.rand(2000, 3) - 1.0
    without = Fusion(cameras[list(range(1, 24))], fused.maps[1:], 3 * CELL).level(points)
    with_unsure = Fusion(cameras, (unsure, *fused.maps[1:]), 3 * CELL).level(points)
    assert torch.allclose(without, with_unsure, atol=1e-5)


def test_a_camera_projects_as_its_rays_say():
    cameras = around(5)
    fused = fusion(ball, cameras)
    for view in range(5):
        rays = cameras.image_rays(view)
        sighting = fused.sighting(view, rays.at(torch.full((64 * 64,), 1.7)))
        pixels, _ = cameras.project(view, rays.at(torch.full((64 * 64,), 1.7)))
        assert torch.allclose(sighting.pixels.T, pixels, atol=1e-3)
        assert sighting.inside.all()
        hit = ball(rays) < 9.0
        expected = (ball(rays) - 1.7)[hit] / (3 * CELL)
        assert (sighting.before[hit] - expected).abs().quantile(0.9) < 0.05


def test_cavities_go_unless_a_camera_stands_in_them():
    shell = extract(lambda p: 0.2 - (p.norm(dim=-1) - 0.6).abs(), BOX, RESOLUTION).mesh
    outside, inside = np.array([[3.0, 0.0, 0.0]]), np.array([[0.0, 0.1, 0.0]])
    assert shell.euler_number == 4
    solid = without_voids(shell, outside)
    assert solid.euler_number == 2 and np.linalg.norm(solid.vertices, axis=1).min() > 0.7
    assert len(without_voids(shell, inside).faces) == len(shell.faces)
    nothing = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), np.int64))
    assert len(without_voids(nothing, outside).faces) == 0


@pytest.mark.parametrize("count", [0, 3])
def test_few_or_no_points(count):
    fused = fusion(ball, around(4))
    assert fused.level(torch.zeros(count, 3)).shape == (count,)
