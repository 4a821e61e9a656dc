"""The lens of one frame of a transforms.json: focal lengths, principal point, distortion, model.

A value may stand in a frame or at the top; the frame wins. Tools disagree about the rest.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import Tensor

from fieldlr.data.scene import MOST_PIXELS
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import CameraModel

LENSES: dict[str, CameraModel] = {
    "SIMPLE_PINHOLE": "perspective",
    "PINHOLE": "perspective",
    "SIMPLE_RADIAL": "perspective",
    "RADIAL": "perspective",
    "OPENCV": "perspective",
    "PERSPECTIVE": "perspective",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
    "OPENCV_FISHEYE": "fisheye",
    "SIMPLE_FISHEYE": "fisheye",
    "FISHEYE": "fisheye",
}
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
# What a file may declare of its lens that is not read, by the beginning of the key.
UNREAD = {
    "latlong": "a panorama of all directions",
    "equirectangular": "a panorama of all directions",
    "orthographic": "an orthographic camera",
    "ftheta_": "an f-theta lens",
    "rolling_shutter": "a rolling shutter",
}
# Declared, without a say in where rays go: a warning is enough.
IGNORED = ("white_transparent", "black_transparent")
# Two statements of one focal length that differ by more than this are worth a warning.
FOCAL_TOLERANCE = 0.005
# No size, focal length, coefficient or scale is beyond this, and its square is a float32.
LARGEST_NUMBER = 1e15
SMALLEST_ANGLE = 1e-6

Default = TypeVar("Default", float, None)
Stated = dict[str, Any]  # what a frame says, or the top level


def read_lens(
    meta: Stated, frame: Stated, actual: tuple[int, int], where: str, warnings: list[str]
) -> dict[str, Any]:
    """Intrinsics, size, distortion and model of a frame whose photo has the size `actual`."""
    _require_read(meta | frame, where)
    warnings += [f"{key} is not read and has no effect." for key in IGNORED if meta.get(key)]
    width = number(frame, meta, "w", where, actual[0])
    height = number(frame, meta, "h", where, actual[1])
    if not (1 <= width <= MOST_PIXELS and 1 <= height <= MOST_PIXELS):
        raise FieldlrError(
            f"{where}: w and h are 1 to {MOST_PIXELS:,} pixels; got {width:g} x {height:g}."
        )
    focal_x = _focal(meta, frame, "x", width, where, warnings)
    focal_y = _focal(meta, frame, "y", height, where, warnings)
    if focal_x is None and focal_y is None:
        raise FieldlrError(
            f"{where}: no focal length. Give fl_x in pixels, x_fov in degrees or camera_angle_x "
            "in radians."
        )
    centre = [
        number(frame, meta, "cx", where, width / 2),
        number(frame, meta, "cy", where, height / 2),
    ]
    return {
        "intrinsics": torch.tensor([focal_x or focal_y, focal_y or focal_x, *centre]),
        "size": (round(width), round(height)),
        "distortion": _distortion(meta, frame, where),
        "model": _model(meta, frame, where),
    }


def _require_read(stated: Stated, where: str) -> None:
    """FieldlrError where a frame declares a lens or a shutter that is not read."""
    for key, value in stated.items():
        meaning = next((words for name, words in UNREAD.items() if key.startswith(name)), None)
        if meaning is not None and _says_something(value):
            raise FieldlrError(
                f"{where}: {key} declares {meaning}, which is not read. Convert the photos to "
                "perspective pictures with one pose each, and leave the key out."
            )
    start, end = stated.get("transform_matrix_start"), stated.get("transform_matrix_end")
    if start is not None and end is not None and start != end:
        raise FieldlrError(
            f"{where}: transform_matrix_start and _end declare a camera that moves while it takes "
            "the photo, which is not read. Give one transform_matrix."
        )


def _says_something(value: Any) -> bool:
    """False for what switches nothing on: false, 0, null, a list of these."""
    return any(map(_says_something, value)) if isinstance(value, list) else bool(value)


def number(frame: Stated, meta: Stated, key: str, where: str, default: Default) -> float | Default:
    """A finite number of the frame, else of the top level, else the default."""
    value = frame.get(key, meta.get(key))
    if value is None:
        return default
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if not plain or not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise FieldlrError(f"{where}: {key} must be a finite number; got {str(value)[:40]}.")
    return float(value)


def _focal(
    meta: Stated, frame: Stated, axis: str, size: float, where: str, warnings: list[str]
) -> float | None:
    """The focal length in pixels along one axis, or None where nothing states it.

    Tools disagree about which statement wins, so here: fl, then fov (degrees), then camera_angle
    (radians), and a disagreement is said.
    """
    found = {}
    scope = frame if any(key in frame for key in _focal_keys(axis)) else meta
    for key in _focal_keys(axis):
        value = number(scope, {}, key, where, None)
        if value is None:
            continue
        angle = math.radians(value) if key.endswith("fov") else value
        if value <= 0 or (not key.startswith("fl_") and not SMALLEST_ANGLE < angle < math.pi):
            raise FieldlrError(f"{where}: {key} is not a possible focal length: {value:g}.")
        found[key] = value if key.startswith("fl_") else 0.5 * size / math.tan(0.5 * angle)
    if not found:
        return None
    used = next(iter(found))
    for key, focal in found.items():
        if abs(focal / found[used] - 1) > FOCAL_TOLERANCE:
            warnings.append(
                f"{used} says a focal length of {found[used]:.1f} px, {key} says {focal:.1f} px: "
                f"{used} is used."
            )
    return found[used]


def _focal_keys(axis: str) -> tuple[str, str, str]:
    return f"fl_{axis}", f"{axis}_fov", f"camera_angle_{axis}"


def _distortion(meta: Stated, frame: Stated, where: str) -> Tensor:
    values = frame.get("distortion_params", meta.get("distortion_params"))
    if values is None:
        return torch.tensor([number(frame, meta, key, where, 0.0) for key in DISTORTION])
    if not isinstance(values, list) or len(values) != len(DISTORTION):
        raise FieldlrError(f"{where}: distortion_params needs six numbers: {' '.join(DISTORTION)}.")
    named: Stated = dict(zip(DISTORTION, values, strict=True))
    return torch.tensor([number(named, {}, key, where, 0.0) for key in DISTORTION])


def _model(meta: Stated, frame: Stated, where: str) -> CameraModel:
    name = frame.get("camera_model", meta.get("camera_model"))
    if name is None:
        return "fisheye" if frame.get("is_fisheye", meta.get("is_fisheye")) else "perspective"
    if not isinstance(name, str) or name.upper() not in LENSES:
        raise FieldlrError(
            f"{where}: camera_model {str(name)[:40]} is not read. Undistort the photos to one of "
            f"{', '.join(LENSES)}."
        )
    return LENSES[name.upper()]
