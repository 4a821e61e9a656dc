"""Paths stay near the cameras of every kind of capture, and close; one camera stands for it."""

import math

import pytest
import torch

from fieldlr.data import colmap, llff, transforms
from fieldlr.data.framing import levelling
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.placement import ideal_cameras, look_at
from fieldlr.rendering.flights import natural_path, orbit_of, similar_views, swing, walk
from fieldlr.rendering.paths import UP
from fieldlr.rendering.standpoints import (
    home_camera,
    layout,
    pivot,
    standpoints,
    turned_pose,
    turning_limits,
)

SIZE = (64, 48)
FOCUS = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def about(azimuths, elevations, distances) -> Cameras:
    """Cameras at angles in degrees about FOCUS that look at it."""
    turn, tilt = (torch.deg2rad(torch.as_tensor(a).double()) for a in (azimuths, elevations))
    turn, tilt, far = torch.broadcast_tensors(turn, tilt, torch.as_tensor(distances).double())
    offsets = torch.stack([tilt.cos() * turn.cos(), tilt.cos() * turn.sin(), tilt.sin()], -1)
    places = FOCUS + far[:, None] * offsets
    return ideal_cameras(look_at(places, FOCUS.expand_as(places), UP), 50.0, SIZE)


def ring(count=24) -> Cameras:
    """High and far on one side, low and near on the other."""
    turn = torch.linspace(0, 360, count + 1)[:-1]
    wave = torch.deg2rad(turn).cos()
    return about(turn, 30.0 + 20.0 * wave, 4.0 + wave)


def arc() -> Cameras:
    return about(torch.linspace(-60, 60, 13), 10.0, 3.0)


def front() -> Cameras:
    return about(torch.tensor([-8.0, -4, 0, 4, 8]), torch.tensor([2.0, -2, 0, 2, -2]), 6.0)


def corridor() -> Cameras:
    """Along an L, looking to the left of the way."""
    along = torch.linspace(0, 4, 9, dtype=torch.float64)
    zero = torch.zeros_like(along)
    first, second = torch.stack([along, zero, zero], 1), torch.stack([4 + zero, along, zero], 1)
    left = torch.tensor([[0.0, 1, 0], [-1.0, 0, 0]], dtype=torch.float64).repeat_interleave(9, 0)
    places = torch.cat([first, second])
    outward = torch.where(torch.arange(18)[:, None] % 2 == 0, -left, left)
    return ideal_cameras(look_at(places, places + outward, UP), 50.0, SIZE)


def farthest(path: Cameras, cameras: Cameras) -> float:
    """The distance of the frame that is farthest from all cameras."""
    places = path.camera_to_world[:, :, 3], cameras.camera_to_world[:, :, 3]
    return float(torch.cdist(*places).min(1).values.max())


@pytest.mark.parametrize(
    "cameras, kind", [(ring, "around"), (arc, "arc"), (front, "front"), (corridor, "walk")]
)
def test_paths_of_every_layout_stay_near_the_cameras_and_close(cameras, kind):
    cameras = cameras()
    assert layout(cameras) == kind
    path = natural_path(cameras, 48, SIZE)
    assert len(path) == 48 and path.sizes[0].tolist() == list(SIZE)
    places = cameras.camera_to_world[:, :, 3]
    nearest = torch.cdist(places, places).fill_diagonal_(math.inf).min(1).values.max()
    assert farthest(path, cameras) < 1.1 * nearest
    rotation = path.camera_to_world[:, :, :3]
    assert torch.allclose(
        rotation @ rotation.transpose(1, 2), torch.eye(3).expand(48, 3, 3), atol=1e-5
    )
    # From each frame to the next, the last to the first too, it is never far.
    moved = path.camera_to_world[:, :, 3]
    steps = (moved.roll(-1, 0) - moved).norm(dim=-1)
    assert steps.max() < 4 * steps.mean()


def test_an_orbit_has_the_height_and_distance_of_the_cameras_beside_it():
    cameras = ring()
    path = orbit_of(cameras, 24, SIZE)
    own, found = standpoints(cameras), standpoints(path, FOCUS)
    assert torch.allclose(found.azimuth, own.azimuth, atol=1e-3)
    assert (found.elevation - own.elevation).abs().max() < 2.0
    assert (found.distance - own.distance).abs().max() < 0.1
    begun = orbit_of(cameras, 24, SIZE, home=5)
    assert torch.allclose(begun.camera_to_world[0], path.camera_to_world[5], atol=1e-4)


def test_a_swing_keeps_within_the_azimuths_of_the_cameras():
    azimuth = standpoints(swing(arc(), 40, SIZE), FOCUS).azimuth
    assert azimuth.max() == pytest.approx(54.0, abs=0.5)
    assert azimuth.min() == pytest.approx(-54.0, abs=0.5)


def test_a_walk_does_not_depend_on_the_order_of_the_photos():
    cameras = corridor()[list(range(0, 18, 2))]
    mixed = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    path, again = walk(cameras, 30, SIZE), walk(cameras[mixed], 30, SIZE)
    ways = again.camera_to_world, again.camera_to_world.roll(15, 0)
    assert min((path.camera_to_world - way).abs().max() for way in ways) < 0.05


def test_one_camera_is_a_path_of_itself():
    one = arc()[3]
    for path in (natural_path(one, 5, SIZE), walk(one, 5, SIZE)):
        assert path.camera_to_world.isfinite().all()
        assert torch.allclose(
            path.camera_to_world[:, :, 3], one.camera_to_world[:, :, 3].expand(5, 3)
        )


def test_the_home_camera_is_an_ordinary_one_that_may_be_chosen():
    turn = torch.linspace(0, 315, 8)
    cameras = about(turn, torch.tensor([80.0, 30, 33, 30, 0, 30, 27, 30]), torch.full((8,), 4.0))
    assert home_camera(cameras, range(8)) in (1, 3, 5, 7)
    assert home_camera(cameras, [0, 2, 4]) == 2
    assert home_camera(arc(), range(13)) == 6
    assert home_camera(arc(), [0, 3, 12]) == 3
    assert home_camera(front(), range(5)) == 2


def test_cameras_alike_look_the_same_way():
    assert len(similar_views(ring(), 0)) < 24 / 3
    assert len(similar_views(front(), 2)) == 5


def test_a_turned_view_begins_as_the_photo_and_moves_about_what_it_shows():
    cameras = arc()
    center = pivot(cameras, 6)
    assert torch.allclose(center, FOCUS, atol=2e-3)
    center = FOCUS
    pose = cameras.camera_to_world[6]
    assert torch.allclose(turned_pose(pose, center, 0.0, 0.0).float(), pose, atol=1e-6)
    turned = turned_pose(pose, center, 30.0, 15.0)
    at = standpoints(ideal_cameras(turned[None], 50.0, SIZE), FOCUS)
    assert float(at.azimuth) == pytest.approx(30.0, abs=0.01)
    assert float(at.elevation) == pytest.approx(25.0, abs=0.01)
    assert float(at.distance) == pytest.approx(3.0, abs=1e-3)
    ahead = FOCUS - turned[:, 3]
    assert float(-turned[:, 2] @ (ahead / ahead.norm())) == pytest.approx(1.0, abs=1e-6)


def test_a_view_is_turned_a_little_beyond_the_outermost_cameras():
    (left, right), (below, above) = turning_limits(arc(), 0)
    assert (left, right) == (pytest.approx(-30.0, abs=0.1), pytest.approx(150.0, abs=0.1))
    assert (below, above) == (pytest.approx(0.0, abs=0.1), pytest.approx(0.0, abs=0.1))
    (left, right), (below, above) = turning_limits(ring(), 12)  # the lowest: 10 degrees, up to 50
    assert (left, right) == (-math.inf, math.inf)
    assert -11.0 < below < -9.0 and 49.0 < above < 51.0
    assert turning_limits(corridor(), 3)[0] == (-math.inf, math.inf)


def test_photos_with_y_up_are_turned_about_y():
    stand = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # +Z up to +Y up
    cameras = arc()
    lying = ideal_cameras(stand @ cameras.camera_to_world, 50.0, SIZE)
    up = UP[[0, 2, 1]]
    for own, other in zip(turning_limits(cameras, 4), turning_limits(lying, 4, up), strict=True):
        assert own == pytest.approx(other, abs=0.01)
    own = turned_pose(cameras.camera_to_world[4], FOCUS, 20.0, 10.0)
    other = turned_pose(lying.camera_to_world[4], stand.double() @ FOCUS, 20.0, 10.0, up)
    assert torch.allclose(stand.double() @ own, other, atol=1e-6)


@pytest.mark.parametrize(
    "name, reader, kind, nearness",
    [
        ("fox", transforms, "arc", 0.33),
        ("fruit", transforms, "around", 0.3),
        ("lego", transforms, "around", 0.3),
        ("room-colmap", colmap, "front", 0.05),
        ("fern", llff, "front", 0.05),
    ],
)
def test_real_captures(data_dir, name, reader, kind, nearness):
    """Paths keep within a share of the mean distance to the subject from the cameras."""
    capture = reader.find(data_dir / "scenes" / name)
    cameras = capture.cameras.in_single_precision()
    if not capture.upright:
        cameras = cameras.transformed(levelling(cameras).inverse())
    assert layout(cameras) == kind
    distance = float(standpoints(cameras).distance.mean())
    assert farthest(natural_path(cameras, 60, SIZE), cameras) < nearness * distance
