"""Camera paths: orbits, spirals, and nerfstudio's camera_path.json.

Paths are `Cameras` in the frame of the field. Elevations and fields of view are in degrees,
focal lengths in pixels, sizes (width, height).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fieldlr.data.framing import focus_point
from fieldlr.data.scene import FARTHEST
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.placement import Size, ideal_cameras, look_at

UP = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
SMALLEST_ANGLE, MOST_SIDE = 0.01, 1 << 14  # degrees of field of view; pixels


def orbit(
    center: Vector,
    radius: float,
    elevation: float,
    frames: int,
    focal: float,
    size: Size,
    azimuth: float = 0.0,
) -> Cameras:
    """A closed circle about the vertical through `center`, seen from `elevation` above it.

    It begins at `azimuth`, measured from +X towards +Y.
    """
    turn = torch.arange(check_frames(frames), dtype=torch.float64) * (2 * math.pi / frames)
    turn = turn + math.radians(azimuth)
    tilt = math.radians(elevation)
    across = math.cos(tilt) * torch.stack([turn.cos(), turn.sin()], -1)
    rise = torch.full((frames, 1), math.sin(tilt), dtype=torch.float64)
    middle = torch.tensor(center, dtype=torch.float64)
    positions = middle + radius * torch.cat([across, rise], -1)
    return ideal_cameras(look_at(positions, middle.expand_as(positions), UP), focal, size)


def spiral(
    cameras: Cameras, frames: int, size: Size, turns: int = 2, focus: float = 0.0
) -> Cameras:
    """The spiral of LLFF about the mean camera, for forward-facing scenes.

    It spans the 90th percentile of the cameras' offsets and looks at a point `focus` world units
    ahead, by default the cameras' focus (`render_path_spiral` in the code of Mildenhall et al.
    2019).
    """
    mean, target, extent = _front(cameras, focus)
    turn = torch.arange(check_frames(frames), dtype=torch.float64) * (2 * math.pi * turns / frames)
    curve = torch.stack([turn.cos(), -turn.sin(), -(0.5 * turn).sin()], -1) * extent
    positions = mean[:, 3] + curve @ mean[:, :3].T
    poses = look_at(positions, target.expand_as(positions), mean[:, 1])
    return ideal_cameras(poses, focal_for(cameras, size), size)


def _front(cameras: Cameras, focus: float) -> tuple[Tensor, Tensor, Tensor]:
    """(pose (3, 4) of the mean camera, point (3,) that it looks at, extent (3,) along its axes)."""
    poses = cameras.camera_to_world.double()
    middle = poses[:, :, 3].mean(0)
    mean = look_at(
        middle[None],
        (middle - poses[:, :, 2].mean(0))[None],
        poses[:, :, 1].mean(0),
    )[0]
    if not focus:
        focus = float(((focus_point(cameras)[0].double() - middle) @ -mean[:, 2]).clamp_min(1e-3))
    extent = torch.quantile(((poses[:, :, 3] - middle) @ mean[:, :3]).abs(), 0.9, dim=0)
    return mean, middle - focus * mean[:, 2], extent


def read_camera_path(
    file: Path | str,
    frame: Similarity,
    size: Size | None = None,
    normalised: Similarity | None = None,
) -> Cameras:
    """The cameras of a nerfstudio camera_path.json, transformed to the field's frame.

    `frame` maps the field's frame to the user's; `normalised` maps the user's to the file's, where
    they differ. `size` overrides that of the file.
    """
    file = Path(file)
    content = _read_json(file)
    width, height = size or (_side(file, content, key) for key in ("render_width", "render_height"))
    poses, focals = [], []
    for number, view in enumerate(content["camera_path"]):
        pose, angle = _view(file, f"camera_path[{number}]", view, content.get("default_fov"))
        poses.append(pose)
        focals.append(0.5 * height / math.tan(math.radians(0.5 * angle)))
    stated = torch.stack(poses)
    if normalised is not None:
        stated = normalised.inverse().apply_poses(stated)
    return ideal_cameras(frame.inverse().apply_poses(stated), torch.tensor(focals), (width, height))


def focal_for(cameras: Cameras, size: Size) -> float:
    """The focal length that shows, at `size`, at least as much as the mean camera."""
    relative = cameras.intrinsics[:, :2].double() / cameras.sizes.double()
    return float((relative.mean(0) * torch.tensor(size, dtype=torch.float64)).min())


def check_frames(frames: int) -> int:
    """Returns the number of frames; raises FieldlrError unless it is positive."""
    if frames < 1:
        raise FieldlrError(f"A camera path has at least 1 frame; got {frames}. Increase `frames`.")
    return frames


def _read_json(file: Path) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(f"A camera path is a JSON file; {file} is not one: {error}.") from None
    if not isinstance(content, dict):
        raise _invalid(file, "camera_path", "a key of a JSON object")
    if content.get("camera_type", "perspective") != "perspective":
        raise _invalid(file, "camera_type", "perspective; other camera types are not supported")
    if not (isinstance(content.get("camera_path"), list) and content["camera_path"]):
        raise _invalid(file, "camera_path", "a list of at least one camera")
    return content


def _view(file: Path, key: str, view: Any, default_angle: Any) -> tuple[Tensor, float]:
    """The pose (3, 4) and the vertical field of view in degrees of one entry."""
    if not isinstance(view, dict):
        raise _invalid(file, key, "an object")
    matrix = _numbers(file, f"{key}.camera_to_world", view.get("camera_to_world"))
    if len(matrix) != 16:
        raise _invalid(file, f"{key}.camera_to_world", "16 numbers in row-major order")
    (angle,) = _numbers(file, f"{key}.fov", [view.get("fov", default_angle)])
    if not SMALLEST_ANGLE <= angle < 180:
        raise _invalid(file, f"{key}.fov", f"a vertical angle of {SMALLEST_ANGLE} to 180 degrees")
    return torch.tensor(matrix, dtype=torch.float64).reshape(4, 4)[:3], angle


def _side(file: Path, content: dict, key: str) -> int:
    (side,) = _numbers(file, key, [content.get(key)])
    if not 1 <= side <= MOST_SIDE or side != int(side):
        raise _invalid(file, key, f"an integer number of pixels from 1 to {MOST_SIDE:,}")
    return int(side)


def _numbers(file: Path, key: str, values: Any) -> list[float]:
    if not isinstance(values, list):
        raise _invalid(file, key, "a list of numbers")
    for value in values:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if not plain or not -FARTHEST <= value <= FARTHEST:
            raise _invalid(file, key, f"finite numbers; got {str(value)[:40]}")
    return [float(value) for value in values]


def _invalid(file: Path, key: str, rule: str) -> FieldlrError:
    return FieldlrError(f"{file}: {key} must be {rule}. Fix the file, or export it again.")
