"""COLMAP's files as plain records: cameras, images and points3D, binary or text.

Nothing is allocated that a file cannot hold, so a hostile count is an error and not a crash. The
newer files frames.bin and rigs.bin repeat what images.bin says for ordinary cameras and are left.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import CameraModel

UNDISTORT = "Run COLMAP's image_undistorter"


@dataclass(frozen=True)
class Lens:
    """One of COLMAP's camera models: the meaning of its parameters, in order."""

    name: str
    parameters: str
    model: CameraModel | None = "perspective"  # None: known, so it can be skipped over, not read
    unknown: str = ""  # parameters of terms that we do not have; where they are 0, it is read
    way_out: str = UNDISTORT

    @property
    def count(self) -> int:
        return len(self.parameters.split())


LENSES: dict[int, Lens] = {
    0: Lens("SIMPLE_PINHOLE", "f cx cy"),
    1: Lens("PINHOLE", "fx fy cx cy"),
    2: Lens("SIMPLE_RADIAL", "f cx cy k1"),
    3: Lens("RADIAL", "f cx cy k1 k2"),
    4: Lens("OPENCV", "fx fy cx cy k1 k2 p1 p2"),
    5: Lens("OPENCV_FISHEYE", "fx fy cx cy k1 k2 k3 k4", "fisheye"),
    # d1 to d3 stand in a denominator; COLMAP calls them k4 to k6.
    6: Lens("FULL_OPENCV", "fx fy cx cy k1 k2 p1 p2 k3 d1 d2 d3", unknown="d1 d2 d3"),
    7: Lens("FOV", "fx fy cx cy omega", unknown="omega"),
    8: Lens("SIMPLE_RADIAL_FISHEYE", "f cx cy k1", "fisheye"),
    9: Lens("RADIAL_FISHEYE", "f cx cy k1 k2", "fisheye"),
    10: Lens(
        "THIN_PRISM_FISHEYE",
        "fx fy cx cy k1 k2 q1 q2 k3 k4 sx1 sy1",
        "fisheye",
        "q1 q2 sx1 sy1",
    ),
    11: Lens(
        "RAD_TAN_THIN_PRISM_FISHEYE",
        "fx fy cx cy k1 k2 k3 k4 k5 k6 q1 q2 s1 s2 s3 s4",
        "fisheye",
        "k5 k6 q1 q2 s1 s2 s3 s4",
    ),
    12: Lens("SIMPLE_DIVISION", "f cx cy division", unknown="division"),
    13: Lens("DIVISION", "fx fy cx cy division", unknown="division"),
    14: Lens("SIMPLE_FISHEYE", "f cx cy", "fisheye"),
    15: Lens("FISHEYE", "fx fy cx cy", "fisheye"),
    16: Lens("EUCM", "fx fy cx cy alpha beta", unknown="alpha"),
    17: Lens(
        "EQUIRECTANGULAR",
        "w h",
        None,
        way_out="Render perspective views of the panoramas (COLMAP's panorama_sfm.py does)",
    ),
}
LENSES_BY_NAME = {lens.name: lens for lens in LENSES.values()}


@dataclass(frozen=True)
class Shot:
    """A registered image: quaternion (w x y z) and translation, world to camera."""

    name: str
    camera: int
    rotation: tuple[float, ...]
    translation: tuple[float, ...]


@dataclass(frozen=True)
class StoredCamera:
    lens: Lens
    size: tuple[int, int]
    parameters: tuple[float, ...]


def read_cameras(model: Path) -> dict[int, StoredCamera]:
    file = _required_file(model, "cameras")
    if file.suffix == ".txt":
        return dict(_text_camera(line, file) for line in _lines(file))
    data = Records(file)
    cameras = {}
    for _ in range(data.count(least_bytes=24)):
        identity, lens_number, width, height = data.take("iiQQ")
        if lens_number not in LENSES:
            raise FieldlrError(
                f"{file}: camera {identity} has the unknown model number {lens_number}. "
                f"{UNDISTORT}."
            )
        lens = LENSES[lens_number]
        cameras[identity] = StoredCamera(lens, (width, height), data.take(f"{lens.count}d"))
    return cameras


def read_shots(model: Path) -> list[Shot]:
    file = _required_file(model, "images")
    if file.suffix == ".txt":
        return [_text_shot(line, file) for line in _lines(file) if not _is_observations(line)]
    data = Records(file)
    shots = []
    for _ in range(data.count(least_bytes=73)):
        _, *pose, camera = data.take("i7di")
        shots.append(Shot(data.string(), camera, tuple(pose[:4]), tuple(pose[4:])))
        data.skip(24 * data.count(least_bytes=24))
    return shots


def read_points(model: Path) -> Float[Tensor, "p 3"] | None:
    """Sparse points (P, 3), or None where the model has no file for them."""
    file = model_file(model, "points3D")
    if file is None:
        return None
    points = []
    if file.suffix == ".txt":
        points = [_numbers(line.split()[1:4], 3, file, line) for line in _lines(file)]
    else:
        data = Records(file)
        for _ in range(data.count(least_bytes=51)):
            points.append(data.take("Q3d3Bd")[1:4])
            data.skip(8 * data.count(least_bytes=8))
    points = torch.tensor(points, dtype=torch.float64).reshape(-1, 3)
    points = points[torch.isfinite(points).all(-1)]
    return points if len(points) else None


class Records:
    """Little-endian records of a binary file; nothing is allocated that the file cannot hold."""

    def __init__(self, file: Path):
        self.file, self.data, self.offset = file, file.read_bytes(), 0

    def take(self, layout: str) -> tuple[Any, ...]:
        try:
            values = struct.unpack_from("<" + layout, self.data, self.offset)
        except struct.error as error:
            raise self._truncated() from error
        self.offset += struct.calcsize("<" + layout)
        return values

    def count(self, least_bytes: int) -> int:
        """A 64-bit count of records of at least `least_bytes` each."""
        (number,) = self.take("Q")
        if number * least_bytes > len(self.data) - self.offset:
            raise self._truncated()
        return number

    def skip(self, num_bytes: int) -> None:
        self.offset += num_bytes

    def string(self) -> str:
        end = self.data.find(b"\0", self.offset)
        if end < 0:
            raise self._truncated()
        text, self.offset = self.data[self.offset : end], end + 1
        return text.decode("utf-8", errors="replace")

    def _truncated(self) -> FieldlrError:
        return FieldlrError(
            f"{self.file}: the file ends before its records do ({len(self.data)} bytes). "
            "It is damaged, or not a COLMAP file: export the model again."
        )


def model_file(model: Path, name: str) -> Path | None:
    return next((f for end in (".bin", ".txt") if (f := model / (name + end)).is_file()), None)


def _required_file(model: Path, name: str) -> Path:
    file = model_file(model, name)
    if file is None:
        raise FieldlrError(
            f"{model}: there is no {name}.bin or {name}.txt. Export the model again."
        )
    return file


def _lines(file: Path) -> list[str]:
    """Lines that are neither empty nor comments."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        raise FieldlrError(f"{file}: not readable as text ({error}).") from error
    return [line for line in lines if line and not line.startswith("#")]


def _is_observations(line: str) -> bool:
    """Whether a line is the second of an image: x, y and a point's number, over and over.

    COLMAP leaves it empty where an image has none, and other tools leave it out.
    """
    words = line.split()
    if len(words) % 3:
        return False
    try:
        [float(word) for word in words]
    except ValueError:
        return False
    return True


def _whole(word: str) -> int:
    """A whole number, which some tools write as 128.0."""
    value = float(word)
    if value != int(value):
        raise ValueError
    return int(word) if word.lstrip("+-").isdigit() else int(value)


def _numbers(
    words: list[str], count: int, file: Path, line: str, kind: Callable[[str], Any] = float
) -> tuple[Any, ...]:
    try:
        values = tuple(kind(word) for word in words)
    except (ValueError, OverflowError):
        values = ()
    if len(values) != count:
        kinds = "whole numbers" if kind is _whole else "numbers"
        raise FieldlrError(
            f"{file}: expected {count} {kinds}, got {' '.join(words)[:60]!r} in the line "
            f"{line[:60]!r}."
        )
    return values


def _text_camera(line: str, file: Path) -> tuple[int, StoredCamera]:
    words = line.split()
    if len(words) < 4 or words[1] not in LENSES_BY_NAME:
        raise FieldlrError(
            f"{file}: no known camera model in the line {line[:60]!r}. {UNDISTORT}, or export the "
            "model again."
        )
    lens = LENSES_BY_NAME[words[1]]
    identity, width, height = _numbers([words[0], *words[2:4]], 3, file, line, _whole)
    parameters = _numbers(words[4:], lens.count, file, line)
    return identity, StoredCamera(lens, (width, height), parameters)


def _text_shot(line: str, file: Path) -> Shot:
    words = line.split(maxsplit=9)
    if len(words) != 10:
        raise FieldlrError(f"{file}: expected 10 words in the image line {line[:60]!r}.")
    pose = _numbers(words[1:8], 7, file, line)
    (camera,) = _numbers(words[8:9], 1, file, line, _whole)
    return Shot(words[9].strip(), camera, pose[:4], pose[4:])
