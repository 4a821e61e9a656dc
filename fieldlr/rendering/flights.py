"""Camera paths that stay near the cameras of a capture, outside of which a field is unreliable.

Every path is a closed loop of undistorted cameras with the field of view of the mean camera.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.framing import forward_axes
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.placement import Size, ideal_cameras, look_at
from fieldlr.rendering.paths import UP, check_frames, focal_for, spiral
from fieldlr.rendering.standpoints import layout, standpoints, wrapped

SMOOTH_DEGREES = 20.0  # the azimuths over which elevations and distances are averaged
STEEPEST = 75.0  # steeper, an orbit about the vertical degenerates to a point
SWING_SHARE = 0.9  # of the range of azimuths: the outermost cameras are often outliers
FACING = 0.8  # cosine within which cameras look the same way, as in `is_forward_facing`
# The number of samples of a walk, and the smoothing width in steps between cameras.
WALK_SAMPLES, WALK_STEPS = 2048, 2.0


def natural_path(cameras: Cameras, frames: int, size: Size, home: int = 0) -> Cameras:
    """The path that suits the arrangement of the cameras.

    An orbit where they surround a subject, a swing back and forth where they do so on one side, a
    spiral where all look one way, otherwise a walk along them and back.
    """
    kind = layout(cameras)
    if kind == "around":
        return orbit_of(cameras, frames, size, home)
    if kind == "arc":
        return swing(cameras, frames, size)
    return (spiral if kind == "front" else walk)(cameras, frames, size)


def orbit_of(cameras: Cameras, frames: int, size: Size, home: int = 0) -> Cameras:
    """A closed orbit about the focus, with the elevation and distance of the cameras nearby.

    It begins at the azimuth of the camera `home`.
    """
    turn = torch.arange(check_frames(frames), dtype=torch.float64) * (360.0 / frames)
    return _nearby_cameras(cameras, standpoints(cameras).azimuth[home] + turn, size)


def swing(cameras: Cameras, frames: int, size: Size) -> Cameras:
    """Back and forth about the focus, within the cameras' azimuths, starting in the middle."""
    radians = torch.deg2rad(standpoints(cameras).azimuth)
    center = torch.rad2deg(torch.atan2(radians.sin().mean(), radians.cos().mean()))
    within = torch.tensor([0.5 - 0.5 * SWING_SHARE, 0.5 + 0.5 * SWING_SHARE], dtype=torch.float64)
    low, high = torch.quantile(wrapped(torch.rad2deg(radians) - center), within).tolist()
    turn = torch.arange(check_frames(frames), dtype=torch.float64) * (2 * math.pi / frames)
    return _nearby_cameras(
        cameras, center + 0.5 * (low + high) + 0.5 * (high - low) * turn.sin(), size
    )


def walk(cameras: Cameras, frames: int, size: Size) -> Cameras:
    """A smooth path along the cameras to the last one and back, with their directions of view."""
    poses = cameras.camera_to_world.double()[_visiting_order(cameras)]
    rows = torch.cat([poses[:, :, 3], -poses[:, :, 2], poses[:, :, 1]], 1).numpy()
    turn = np.arange(check_frames(frames)) * (2 * math.pi / frames)
    places, ahead, up = torch.from_numpy(_smooth(rows, 0.5 - 0.5 * np.cos(turn))).split(3, 1)
    return ideal_cameras(look_at(places, places + ahead, up), focal_for(cameras, size), size)


def similar_views(cameras: Cameras, home: int) -> Cameras:
    """The cameras that look within 37 degrees of where the camera `home` does."""
    axes = forward_axes(cameras)
    return cameras[axes @ axes[home] > FACING]


def _nearby_cameras(cameras: Cameras, azimuths: Float[Tensor, " f"], size: Size) -> Cameras:
    """Cameras at these azimuths that look at the focus, interpolated between the given ones.

    Elevation and log distance are Gaussian averages over the azimuth (kernel regression; Nadaraya
    1964, Watson 1964): smooth, periodic, and within the range of the cameras.
    """
    at = standpoints(cameras)
    apart = wrapped(azimuths[:, None] - at.azimuth) / SMOOTH_DEGREES
    weights = torch.softmax(-0.5 * apart**2, 1)
    elevation = torch.deg2rad((weights @ at.elevation).clamp(-STEEPEST, STEEPEST))
    distance, turn = (weights @ at.distance.log()).exp(), torch.deg2rad(azimuths)
    across = elevation.cos()
    offsets = torch.stack([across * turn.cos(), across * turn.sin(), elevation.sin()], -1)
    places = at.focus + distance[:, None] * offsets
    poses = look_at(places, at.focus.expand_as(places), UP)
    return ideal_cameras(poses, focal_for(cameras, size), size)


def _visiting_order(cameras: Cameras) -> list[int]:
    """The shorter of two orders of the cameras: their own, or greedily by nearest neighbour."""
    places = cameras.camera_to_world[:, :, 3].double()
    apart = torch.cdist(places, places)
    order = [int(apart.mean(1).argmax())]
    left = set(range(len(places))) - set(order)
    while left:
        rest = sorted(left)
        order.append(rest[int(apart[order[-1], rest].argmin())])
        left.remove(order[-1])
    own = list(range(len(places)))
    return min((own, order), key=lambda way: float(apart[way[:-1], way[1:]].sum()))


def _smooth(rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Rows (N, 9) of a path, smoothed and sampled at fractions (F,) of its length."""
    from scipy.ndimage import gaussian_filter1d

    steps = np.linalg.norm(np.diff(rows[:, :3], axis=0), axis=1)
    steps = np.maximum(steps, 1e-3 * max(float(steps.mean()), 1e-9) if len(steps) else 1.0)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / max(float(steps.sum()), 1e-9)
    samples = np.linspace(0.0, 1.0, WALK_SAMPLES)
    fine = np.stack([np.interp(samples, along, column) for column in rows.T], 1)
    sigma = WALK_STEPS * WALK_SAMPLES / max(len(rows) - 1, 1)
    fine = gaussian_filter1d(fine, min(sigma, 0.05 * WALK_SAMPLES), axis=0, mode="nearest")
    return np.stack([np.interp(shares, samples, column) for column in fine.T], 1)
