"""The arrangement of a capture's cameras: their focus, layout and best representative.

Azimuths and elevations are in degrees about the focus, where the optical axes meet: azimuths from
+X towards +Y, elevations towards `up`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.framing import focus_point, forward_axes, is_forward_facing
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rotations import rotation_about
from fieldlr.rendering.paths import UP

# around: a subject from all sides; arc: from some sides; front: forward-facing; walk: the axes do
# not meet ahead, as in a panorama or a walk through rooms.
Layout = Literal["around", "arc", "front", "walk"]
WIDEST_GAP = 120.0  # between neighbouring azimuths of the layout `around`
MEET_AHEAD = 0.9  # share of the cameras that must have the focus in front
STEEPEST = 85.0  # degrees: straight from above the azimuth is undefined


@dataclass(frozen=True)
class Standpoints:
    """Spherical coordinates of N cameras about a focus."""

    focus: Float[Tensor, " 3"]
    azimuth: Float[Tensor, " n"]
    elevation: Float[Tensor, " n"]
    distance: Float[Tensor, " n"]


def standpoints(
    cameras: Cameras,
    focus: Float[Tensor, " 3"] | None = None,
    up: Float[Tensor, " 3"] = UP,
) -> Standpoints:
    """Coordinates about `focus`, by default where the axes meet. `up` is +Z or +Y."""
    if focus is None:
        focus = focus_point(cameras)[0]
    offsets = cameras.camera_to_world[:, :, 3].double() - focus.double()
    if up[1] > 0:  # rotates +Y up to +Z up
        offsets = torch.stack([offsets[:, 0], -offsets[:, 2], offsets[:, 1]], -1)
    distance = offsets.norm(dim=-1).clamp_min(1e-9)
    azimuth = torch.rad2deg(torch.atan2(offsets[:, 1], offsets[:, 0]))
    return Standpoints(
        focus.double(), azimuth, torch.rad2deg(torch.asin(offsets[:, 2] / distance)), distance
    )


def layout(cameras: Cameras) -> Layout:
    """The layout of the cameras."""
    _, depths = focus_point(cameras)
    if float((depths > 0).double().mean()) < MEET_AHEAD:
        return "walk"
    if is_forward_facing(cameras):
        return "front"
    azimuth = standpoints(cameras).azimuth.sort().values
    gaps = torch.cat([azimuth.diff(), azimuth[:1] + 360.0 - azimuth[-1:]])
    return "around" if float(gaps.max()) <= WIDEST_GAP else "arc"


def home_camera(cameras: Cameras, among: Sequence[int]) -> int:
    """The index, one of `among`, of the camera that shows a capture best.

    In the layout `around` it is the one nearest to the median elevation and distance that looks
    most directly at the focus; otherwise the one with the least mean distance to all others in
    position and direction.
    """
    chosen, axes = torch.tensor(among), forward_axes(cameras).double()
    places = cameras.camera_to_world[:, :, 3].double()
    if layout(cameras) == "around":
        at = standpoints(cameras)
        deviation = torch.deg2rad(at.elevation - at.elevation.median()).abs()
        deviation += (at.distance / at.distance.median()).log().abs()
        towards = (at.focus - places) / at.distance[:, None]
        deviation += ((axes * towards).sum(-1)).clamp(-1.0, 1.0).acos()
    else:
        apart = torch.cdist(places, places)
        deviation = apart.mean(1) / apart.mean().clamp_min(1e-9)
        deviation += torch.cdist(axes, axes).mean(1)
    return int(chosen[deviation[chosen].argmin()])


def pivot(cameras: Cameras, index: int) -> Float[Tensor, " 3"]:
    """The point about which a user turns the view from one of the cameras.

    It is on the optical axis at the distance of the focus; the camera itself if no focus is ahead.
    """
    place = cameras.camera_to_world[index, :, 3].double()
    if layout(cameras) == "walk":
        return place
    depth = focus_point(cameras)[1][index].double().clamp_min(0.0)
    return place + depth * forward_axes(cameras)[index].double()


def turned_pose(
    pose: Float[Tensor, "3 4"],
    center: Float[Tensor, " 3"],
    right: float,
    above: float,
    up: Float[Tensor, " 3"] = UP,
) -> Float[Tensor, "3 4"]:
    """A pose rotated about `center`: `right` degrees about `up`, and `above` degrees up."""
    pose = pose.double()
    turn = rotation_about(up, right) @ rotation_about(pose[:, 0], -above)
    place = center + turn @ (pose[:, 3] - center)
    return torch.cat([turn @ pose[:, :3], place[:, None]], 1)


def turning_limits(
    cameras: Cameras, index: int, up: Float[Tensor, " 3"] = UP
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits, in degrees, within which a view turned from one camera stays near the others.

    ((least, most) to the right, (least, most) upwards): to the outermost cameras plus a quarter of
    their range. Infinite to the right in the layouts `around` and `walk`.
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
    """Angles wrapped to -180 to 180 degrees."""
    return (degrees + 180.0) % 360.0 - 180.0


def _widened(angles: Tensor) -> tuple[float, float]:
    low, high = float(angles.min()), float(angles.max())
    margin = 0.25 * (high - low)
    return low - margin, high + margin
