"""How the cameras of a capture stand: about what, and which of them stands best.

Azimuths and elevations are in degrees about the point where the optical axes meet: azimuths from +X
towards +Y, elevations towards `up`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.framing import forward_axes, is_forward_facing, meeting_point
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rotations import rotation_about
from fieldlr.rendering.paths import UP

# around: about a subject, from all sides; arc: from some; front: all look one way; walk: the axes
# do not meet ahead, as in a panorama or on a way through rooms.
Layout = Literal["around", "arc", "front", "walk"]
WIDEST_GAP = 120.0  # between neighbouring azimuths of cameras that stand around something
MEET_AHEAD = 0.9  # share of the cameras before which the axes must meet
STEEPEST = 85.0  # degrees: straight from above, nothing is to the right


@dataclass(frozen=True)
class Standpoints:
    """Where N cameras stand about a point."""

    focus: Float[Tensor, " 3"]
    azimuth: Float[Tensor, " n"]
    elevation: Float[Tensor, " n"]
    distance: Float[Tensor, " n"]


def standpoints(
    cameras: Cameras,
    focus: Float[Tensor, " 3"] | None = None,
    up: Float[Tensor, " 3"] = UP,
) -> Standpoints:
    """The cameras about `focus`, by default where their axes meet. `up` is +Z or +Y."""
    if focus is None:
        focus = meeting_point(cameras)[0]
    offsets = cameras.camera_to_world[:, :, 3].double() - focus.double()
    if up[1] > 0:  # stands +Y up on +Z
        offsets = torch.stack([offsets[:, 0], -offsets[:, 2], offsets[:, 1]], -1)
    distance = offsets.norm(dim=-1).clamp_min(1e-9)
    azimuth = torch.rad2deg(torch.atan2(offsets[:, 1], offsets[:, 0]))
    return Standpoints(
        focus.double(), azimuth, torch.rad2deg(torch.asin(offsets[:, 2] / distance)), distance
    )


def layout(cameras: Cameras) -> Layout:
    """How the cameras stand."""
    _, depths = meeting_point(cameras)
    if float((depths > 0).double().mean()) < MEET_AHEAD:
        return "walk"
    if is_forward_facing(cameras):
        return "front"
    azimuth = standpoints(cameras).azimuth.sort().values
    gaps = torch.cat([azimuth.diff(), azimuth[:1] + 360.0 - azimuth[-1:]])
    return "around" if float(gaps.max()) <= WIDEST_GAP else "arc"


def home_camera(cameras: Cameras, among: Sequence[int]) -> int:
    """The index, one of `among`, of the camera from which a capture is best shown.

    Of cameras that stand around something it is the one nearest to the median elevation and
    distance that looks straight at it; of others the one with the least mean distance to them all,
    in place and in direction.
    """
    chosen, axes = torch.tensor(among), forward_axes(cameras).double()
    places = cameras.camera_to_world[:, :, 3].double()
    if layout(cameras) == "around":
        at = standpoints(cameras)
        oddness = torch.deg2rad(at.elevation - at.elevation.median()).abs()
        oddness += (at.distance / at.distance.median()).log().abs()
        towards = (at.focus - places) / at.distance[:, None]
        oddness += ((axes * towards).sum(-1)).clamp(-1.0, 1.0).acos()
    else:
        apart = torch.cdist(places, places)
        oddness = apart.mean(1) / apart.mean().clamp_min(1e-9)
        oddness += torch.cdist(axes, axes).mean(1)
    return int(chosen[oddness[chosen].argmin()])


def pivot(cameras: Cameras, index: int) -> Float[Tensor, " 3"]:
    """What a view from one of the cameras is turned about by hand.

    It is on its optical axis, as far ahead as the focus; the camera itself where nothing is.
    """
    place = cameras.camera_to_world[index, :, 3].double()
    if layout(cameras) == "walk":
        return place
    depth = meeting_point(cameras)[1][index].double().clamp_min(0.0)
    return place + depth * forward_axes(cameras)[index].double()


def turned_pose(
    pose: Float[Tensor, "3 4"],
    center: Float[Tensor, " 3"],
    right: float,
    above: float,
    up: Float[Tensor, " 3"] = UP,
) -> Float[Tensor, "3 4"]:
    """A pose moved about `center`: `right` degrees about `up`, and `above` degrees higher."""
    pose = pose.double()
    turn = rotation_about(up, right) @ rotation_about(pose[:, 0], -above)
    place = center + turn @ (pose[:, 3] - center)
    return torch.cat([turn @ pose[:, :3], place[:, None]], 1)


def turning_room(
    cameras: Cameras, index: int, up: Float[Tensor, " 3"] = UP
) -> tuple[tuple[float, float], tuple[float, float]]:
    """How far a view from one camera may be turned to stay near the others, in degrees.

    (least and most to the right, least and most upwards): to the outermost cameras and a quarter
    of their range further. Infinite to the right where they stand all around, or look outwards.
    """
    kind, backward = layout(cameras), -forward_axes(cameras)[index].double()
    at = standpoints(cameras, pivot(cameras, index), up)
    own = math.degrees(math.asin(max(-1.0, min(1.0, float(backward @ up)))))
    steep = (min(0.0, -STEEPEST - own), max(0.0, STEEPEST - own))
    if kind == "walk":
        return (-math.inf, math.inf), steep
    rise = at.elevation - at.elevation[index]
    low, high = _widened(rise)
    upwards = (max(low, steep[0]), min(high, steep[1]))
    if kind == "around":
        return (-math.inf, math.inf), upwards
    return _widened(wrapped(at.azimuth - at.azimuth[index])), upwards


def wrapped(degrees: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Angles from -180 to 180 degrees."""
    return (degrees + 180.0) % 360.0 - 180.0


def _widened(angles: Tensor) -> tuple[float, float]:
    low, high = float(angles.min()), float(angles.max())
    margin = 0.25 * (high - low)
    return low - margin, high + margin
