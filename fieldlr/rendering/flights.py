"""Camera paths that stay near the cameras of a capture: what none of them saw is guesswork.

Every path is a loop of ideal cameras with the field of view of the mean camera.
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
from fieldlr.rendering.paths import UP, counted, focal_for, spiral
from fieldlr.rendering.standpoints import layout, standpoints, wrapped

SMOOTH_DEGREES = 20.0  # over which heights and distances of neighbouring cameras are averaged
STEEPEST = 75.0  # from straight above, a circle about the vertical has no radius left
SWING_SHARE = 0.9  # of the range of azimuths: outermost cameras are often strays
FACING = 0.8  # cosine: cameras that look the same way, as in `is_forward_facing`
# A walk is sampled so finely, and smoothed over so many of its steps.
WALK_SAMPLES, WALK_STEPS = 2048, 2.0


def natural_path(cameras: Cameras, frames: int, size: Size, home: int = 0) -> Cameras:
    """The path that suits how the cameras stand.

    An orbit where they stand around something, a swing to and fro where they do so on one side, a
    spiral where all look one way, otherwise a walk along them, there and back.
    """
    kind = layout(cameras)
    if kind == "around":
        return orbit_of(cameras, frames, size, home)
    if kind == "arc":
        return swing(cameras, frames, size)
    return (spiral if kind == "front" else walk)(cameras, frames, size)


def orbit_of(cameras: Cameras, frames: int, size: Size, home: int = 0) -> Cameras:
    """A closed orbit about the focus of the cameras, at the height and distance of those nearby.

    It begins at the azimuth of the camera `home`.
    """
    turn = torch.arange(counted(frames), dtype=torch.float64) * (360.0 / frames)
    return _followed(cameras, standpoints(cameras).azimuth[home] + turn, size)


def swing(cameras: Cameras, frames: int, size: Size) -> Cameras:
    """To and fro about the focus of the cameras, within their azimuths; begins in the middle."""
    radians = torch.deg2rad(standpoints(cameras).azimuth)
    center = torch.rad2deg(torch.atan2(radians.sin().mean(), radians.cos().mean()))
    within = torch.tensor([0.5 - 0.5 * SWING_SHARE, 0.5 + 0.5 * SWING_SHARE], dtype=torch.float64)
    low, high = torch.quantile(wrapped(torch.rad2deg(radians) - center), within).tolist()
    turn = torch.arange(counted(frames), dtype=torch.float64) * (2 * math.pi / frames)
    return _followed(cameras, center + 0.5 * (low + high) + 0.5 * (high - low) * turn.sin(), size)


def walk(cameras: Cameras, frames: int, size: Size) -> Cameras:
    """Along the cameras from one end to the other and back, smoothly, looking as they do."""
    poses = cameras.camera_to_world.double()[_tour(cameras)]
    rows = torch.cat([poses[:, :, 3], -poses[:, :, 2], poses[:, :, 1]], 1).numpy()
    turn = np.arange(counted(frames)) * (2 * math.pi / frames)
    places, ahead, up = torch.from_numpy(_smooth(rows, 0.5 - 0.5 * np.cos(turn))).split(3, 1)
    return ideal_cameras(look_at(places, places + ahead, up), focal_for(cameras, size), size)


def alike(cameras: Cameras, home: int) -> Cameras:
    """The cameras that look within 37 degrees of where the camera `home` does."""
    axes = forward_axes(cameras)
    return cameras[axes @ axes[home] > FACING]


def _followed(cameras: Cameras, azimuths: Float[Tensor, " f"], size: Size) -> Cameras:
    """Cameras at these azimuths that look at the focus, from where the given ones stand there.

    Elevation and the logarithm of the distance are Gaussian averages over the azimuth (kernel
    regression; Nadaraya 1964, Watson 1964): smooth, closed, and within the range of the cameras'.
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


def _tour(cameras: Cameras) -> list[int]:
    """The cameras in an order in which one could have walked: their own, or from each to the
    nearest that is left, whichever is shorter."""
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
    """Rows (N, 9) of a way, read at shares (F,) of its length and smoothed along it."""
    from scipy.ndimage import gaussian_filter1d

    steps = np.linalg.norm(np.diff(rows[:, :3], axis=0), axis=1)
    steps = np.maximum(steps, 1e-3 * max(float(steps.mean()), 1e-9) if len(steps) else 1.0)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / max(float(steps.sum()), 1e-9)
    samples = np.linspace(0.0, 1.0, WALK_SAMPLES)
    fine = np.stack([np.interp(samples, along, column) for column in rows.T], 1)
    sigma = WALK_STEPS * WALK_SAMPLES / max(len(rows) - 1, 1)
    fine = gaussian_filter1d(fine, min(sigma, 0.05 * WALK_SAMPLES), axis=0, mode="nearest")
    return np.stack([np.interp(shares, samples, column) for column in fine.T], 1)
