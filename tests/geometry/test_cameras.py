"""Cameras: pixels to rays and back, in every lens model and by hand."""

import math

import pytest
import torch

from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from tests.codec import fields

LENSES = {
    "pinhole": ("perspective", [0, 0, 0, 0, 0, 0]),
    "phone": ("perspective", [0.0578, -0.0805, 0, 0, -0.00098, 0.000156]),
    "strong": ("perspective", [-0.25, 0.08, -0.012, 0.001, 0.002, -0.001]),
    "fisheye": ("fisheye", [0, 0, 0, 0, 0, 0]),
    "bent fisheye": ("fisheye", [0.03, -0.01, 0.004, -0.001, 0, 0]),
}


def camera(model="perspective", distortion=(0,) * 6, pose=None, size=(64, 48), focal=(50.0, 52.0)):
    pose = torch.eye(4)[:3] if pose is None else pose
    intrinsics = torch.tensor([[*focal, size[0] / 2, size[1] / 2 - 1.5]])
    return Cameras(
        pose[None], intrinsics, torch.tensor([size]), torch.tensor([distortion]).float(), model
    )


def some_pose(generator) -> torch.Tensor:
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=generator)).Q
    rotation = rotation * torch.linalg.det(rotation)
    return torch.cat([rotation, torch.randn(3, 1, generator=generator)], 1)


@pytest.mark.parametrize("lens", LENSES)
def test_projecting_rays_gives_their_pixels(lens, generator):
    one = camera(*LENSES[lens], pose=some_pose(generator))
    rays = one.image_rays(0)
    distances = torch.rand(len(rays), generator=generator) * 5 + 0.1
    pixels, depth = one.project(0, rays.at(distances))
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    expected = torch.stack([columns, rows], -1).reshape(-1, 2) + 0.5
    assert (pixels - expected).abs().max() < 1e-3
    assert (depth > 0).all()
    assert torch.allclose(rays.directions.norm(dim=-1), torch.ones(len(rays)), atol=1e-6)


def test_a_wide_fisheye_sees_behind_itself():
    one = camera("fisheye", size=(200, 200), focal=(50.0, 50.0))
    edge = torch.tensor([[100.0 + 50.0 * 2.0, 98.5]])  # two radians from the axis
    rays = one.rays(torch.tensor([0]), edge)
    assert torch.allclose(
        rays.directions[0], torch.tensor([math.sin(2.0), 0.0, -math.cos(2.0)]), atol=1e-6
    )
    pixels, depth = one.project(0, rays.at(torch.tensor([3.0])))
    assert torch.allclose(pixels, edge, atol=1e-4)
    assert depth < 0


def test_hand_made_camera():
    # At (0, 0, 4), looking along -Z: the world's +X is right, its +Y is up in the picture.
    pose = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4]])
    one = Cameras(
        pose[None],
        torch.tensor([[100.0, 100, 50, 40]]),
        torch.tensor([[100, 80]]),
        torch.zeros(1, 6),
    )
    pixels, depth = one.project(0, torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 5.0]]))
    assert torch.allclose(pixels[:2], torch.tensor([[75.0, 40.0], [50.0, 15.0]]))
    assert torch.allclose(depth, torch.tensor([4.0, 4.0, -1.0]))
    first = one.image_rays(0).directions[0]
    assert torch.allclose(first / -first[2], torch.tensor([-0.495, 0.395, -1.0]))


def test_opencv_distortion_by_hand():
    # x = 0.5, y = 0.25 right and below the axis; OpenCV's formula worked by hand.
    one = Cameras(
        torch.eye(4)[None, :3],
        torch.tensor([[100.0, 100, 0, 0]]),
        torch.tensor([[100, 100]]),
        torch.tensor([[0.1, 0.01, 0, 0, 0.02, 0.03]]),
    )
    pixels, _ = one.project(0, torch.tensor([[0.5, -0.25, -1.0]]))
    squared = 0.3125
    radial = 1 + 0.1 * squared + 0.01 * squared**2
    x = 0.5 * radial + 2 * 0.02 * 0.125 + 0.03 * (squared + 0.5)
    y = 0.25 * radial + 0.02 * (squared + 0.125) + 2 * 0.03 * 0.125
    assert torch.allclose(pixels, torch.tensor([[100 * x, 100 * y]]))


def test_indexing_keeps_the_lens(generator):
    poses = torch.stack([some_pose(generator) for _ in range(4)])
    many = Cameras(poses, torch.rand(4, 4) + 1, torch.full((4, 2), 8), torch.zeros(4, 6), "fisheye")
    assert [len(many[i]) for i in (2, -1, slice(1, 3), torch.tensor([3, 0, 1]))] == [1, 1, 2, 3]
    assert many[-1].model == "fisheye"
    assert torch.equal(many[-1].camera_to_world[0], poses[3])


def test_resizing_keeps_the_field_of_view():
    one = camera(size=(63, 47))
    half = one.resized(0.5)
    assert half.sizes.tolist() == [[32, 24]]
    corner = torch.tensor([[63.0, 47.0]])
    there = half.rays(torch.tensor([0]), torch.tensor([[32.0, 24.0]]))
    assert torch.allclose(
        one.rays(torch.tensor([0]), corner).directions, there.directions, atol=1e-6
    )
    assert torch.allclose(half.resized(torch.tensor([[63, 47]])).intrinsics, one.intrinsics)


def test_a_similarity_moves_cameras_with_their_points(generator):
    one = camera(pose=some_pose(generator))
    turn = some_pose(generator)
    frame = Similarity(tuple(map(tuple, turn[:, :3].tolist())), 2.5, tuple(turn[:, 3].tolist()))
    points = one.image_rays(0)[::97].at(torch.full((32,), 2.0))
    before, depth = one.project(0, points)
    after, far = one.transformed(frame).project(0, frame.apply(points))
    assert (before - after).abs().max() < 1e-3
    assert torch.allclose(far, 2.5 * depth, rtol=1e-4)


@pytest.mark.parametrize("stride", [1, 3, 7])
@pytest.mark.parametrize("model", ["perspective", "fisheye"])
def test_sampled_cameras_have_the_rays_of_some_pixels(stride, model):
    cameras = fields.cameras(2, model)
    width, height = cameras.sizes[1].tolist()
    whole, some = cameras.image_rays(1), slice(stride // 2, None, stride)
    found = cameras.sampled(1, stride).image_rays(0)
    expected = whole.directions.view(height, width, 3)[some, some].reshape(-1, 3)
    torch.testing.assert_close(found.directions, expected, rtol=0.0, atol=1e-6)
    assert torch.equal(found.origins[0], whole.origins[0])
