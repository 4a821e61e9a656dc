"""Cameras from plain arrays: poses and a focal length, or a place and what is looked at."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.arrays import ArrayLike, numbers
from fieldlr.geometry.cameras import CameraModel, Cameras

Size = tuple[int, int]
MOST_CAMERAS = 1 << 20
UNIT_TOLERANCE = 0.02  # of the axes of a pose, which tools round


def look_at(
    positions: Float[Tensor, "n 3"],
    targets: Float[Tensor, "n 3"],
    up: Float[Tensor, " 3"] | Float[Tensor, "n 3"],
) -> Float[Tensor, "n 3 4"]:
    """Poses (N, 3, 4) of cameras at positions (N, 3) that look at targets (N, 3), `up` up."""
    backward = torch.nn.functional.normalize(positions - targets, dim=-1)
    right = torch.linalg.cross(up.expand_as(backward), backward)
    right = torch.nn.functional.normalize(right, dim=-1)
    return torch.stack([right, torch.linalg.cross(backward, right), backward, positions], -1)


def ideal_cameras(
    poses: Float[Tensor, "n 3 4"], focal: float | Float[Tensor, " n"], size: Size
) -> Cameras:
    """Square-pixel cameras of one size, without distortion, principal point in the middle."""
    count = len(poses)
    intrinsics = torch.empty(count, 4, dtype=torch.float32)
    intrinsics[:, :2] = focal if not isinstance(focal, Tensor) else focal[:, None].float()
    intrinsics[:, 2:] = torch.tensor(size) / 2
    sizes = torch.tensor(size, dtype=torch.int64).repeat(count, 1)
    return Cameras(poses.float(), intrinsics, sizes, torch.zeros(count, 6))


def posed_cameras(
    camera_to_world: ArrayLike,
    focal: ArrayLike,
    size: ArrayLike,
    center: ArrayLike | None = None,
    distortion: ArrayLike | None = None,
    convention: str = "opengl",
    model: str = "perspective",
) -> Cameras:
    """What `Cameras.of` documents."""
    _require_choice("convention", convention, ("opengl", "opencv"))
    _require_choice("model", model, ("perspective", "fisheye"))
    poses = _poses(camera_to_world, convention)
    count = len(poses)
    sizes = _rows("size", size, 2, count)
    if (sizes < 1).any() or (sizes != np.floor(sizes)).any():
        raise FieldlrError(f"`size` is (width, height) in whole pixels; got {_shown(size)}.")
    middle = sizes / 2 if center is None else _rows("center", center, 2, count)
    lens = np.zeros((count, 6)) if distortion is None else _rows("distortion", distortion, 6, count)
    lengths = numbers("focal", focal)
    if lengths.shape in ((), (count, 1)):  # square pixels
        lengths = np.broadcast_to(lengths, (count, 2))
    lengths = _rows("focal", lengths, 2, count)
    if (lengths <= 0).any():
        raise FieldlrError(f"`focal` is in pixels, above 0; got {_shown(focal)}.")
    return Cameras(
        torch.from_numpy(poses).float(),
        torch.from_numpy(np.concatenate([lengths, middle], 1)).float(),
        torch.from_numpy(sizes).long(),
        torch.from_numpy(lens).float(),
        cast(CameraModel, model),
    )


def looking_cameras(
    positions: ArrayLike,
    target: ArrayLike,
    size: Size = (400, 400),
    field_of_view: float = 40.0,
    up: ArrayLike = (0.0, 0.0, 1.0),
) -> Cameras:
    """What `Cameras.looking_at` documents."""
    if not 0.0 < field_of_view < 180.0:
        raise FieldlrError(
            f"`field_of_view` is the vertical one, in degrees between 0 and 180; got "
            f"{field_of_view}."
        )
    places = np.atleast_2d(numbers("positions", positions))
    if places.ndim != 2 or places.shape[1] != 3:
        raise FieldlrError(f"`positions` have shape (3,) or (n, 3); got {places.shape}.")
    targets = _rows("target", target, 3, len(places))
    upwards = _rows("up", up, 3, len(places))
    ahead = targets - places
    if (np.linalg.norm(np.cross(ahead, upwards), axis=1) < 1e-9 * np.abs(ahead).max()).any():
        raise FieldlrError(
            "a camera looks at something else than its own place, and not along `up`. Move it, or "
            "give another `up`."
        )
    poses = look_at(*map(torch.from_numpy, (places, targets, upwards)))
    focal = 0.5 * size[1] / math.tan(math.radians(0.5 * field_of_view))
    return posed_cameras(poses.numpy(), focal, size)


def orbiting_cameras(
    center: ArrayLike,
    radius: float,
    count: int = 60,
    elevation: float = 20.0,
    size: Size = (400, 400),
    field_of_view: float = 40.0,
) -> Cameras:
    """What `Cameras.orbit` documents."""
    if not 1 <= count <= MOST_CAMERAS or not radius > 0.0 or not -90.0 < elevation < 90.0:
        raise FieldlrError(
            "an orbit has a `count` of 1 or more, a `radius` above 0 and an `elevation` between "
            f"-90 and 90 degrees; got {count}, {radius} and {elevation}."
        )
    middle = _rows("center", center, 3, 1)
    turn, tilt = np.arange(count) * (2 * math.pi / count), math.radians(elevation)
    rise = np.full(count, math.sin(tilt))
    around = np.stack([math.cos(tilt) * np.cos(turn), math.cos(tilt) * np.sin(turn), rise], 1)
    return looking_cameras(middle + radius * around, middle[0], size, field_of_view)


def _poses(given: ArrayLike, convention: str) -> np.ndarray:
    """Camera-to-world matrices (N, 3, 4) in OpenGL's axes."""
    poses = numbers("camera_to_world", given)
    poses = poses[None] if poses.ndim == 2 else poses
    if poses.ndim != 3 or poses.shape[1:] not in ((3, 4), (4, 4)) or not len(poses):
        raise FieldlrError(
            f"`camera_to_world` has shape (3, 4), (4, 4), (n, 3, 4) or (n, 4, 4); got "
            f"{np.shape(given)}."
        )
    poses = poses[:, :3].copy()
    if convention == "opencv":
        poses[:, :, 1:3] *= -1.0
    axes = poses[:, :, :3]
    defect = np.abs(axes.transpose(0, 2, 1) @ axes - np.eye(3)).max()
    if defect > UNIT_TOLERANCE or (np.linalg.det(axes) <= 0).any():
        raise FieldlrError(
            "the left 3 x 3 of `camera_to_world` is a rotation; one of these is mirrored, sheared "
            "or scaled. Give camera-to-world matrices (the inverse of world-to-camera) with "
            "right-handed axes of unit length."
        )
    return poses


def _rows(name: str, given: ArrayLike, width: int, count: int) -> np.ndarray:
    """(count, width) of one row for all or of a row for each."""
    array = numbers(name, given)
    if array.shape not in ((width,), (1, width), (count, width)):
        raise FieldlrError(
            f"`{name}` has shape ({width},), or ({count}, {width}) with one row for each camera; "
            f"got {array.shape}."
        )
    return np.broadcast_to(array, (count, width)).copy()


def _require_choice(name: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise FieldlrError(f"`{name}` is {' or '.join(known)}; got {given!r}.")


def _shown(given: object) -> str:
    return str(given)[:60]
