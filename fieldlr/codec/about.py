"""Metadata stored beside the field: how its source was read, its background and some cameras."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fieldlr.codec.byte_io import Reader, Writer, corrupt
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Vector, vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rotations import from_quaternion, to_quaternion

# Most cameras in a file: enough for an orbit, a spiral and renders of held-out views.
MOST_CAMERAS = 8
MOST_PIXELS = 1 << 15
LENSES = ("perspective", "fisheye")
HASH_BYTES = 4
# Quaternion components are stored as 16-bit fractions of this.
QUATERNION_SCALE = 32767


@dataclass(frozen=True)
class About:
    """What a file stores about the source of its field.

    `reading` is the downscale of photos or the grid resolution of a mesh, None for automatic;
    `content_hash` is hexadecimal; a file keeps its first eight digits.
    """

    kind: Kind = "mesh"
    content_hash: str = "00000000"
    reading: int | None = None
    background: Vector | None = None  # behind photos
    cameras: Cameras | None = None  # some held-out views of photos, in the field's frame


def subset_cameras(cameras: Cameras, chosen: tuple[int, ...]) -> Cameras:
    """The cameras that a file keeps: those of `subset_indices`."""
    return cameras[torch.tensor(subset_indices(len(cameras), chosen))]


def subset_indices(num_cameras: int, chosen: tuple[int, ...]) -> list[int]:
    """At most MOST_CAMERAS indices, evenly spaced among the chosen ones (among all if none is)."""
    chosen = chosen or tuple(range(num_cameras))
    count = min(len(chosen), MOST_CAMERAS)
    return [chosen[i * len(chosen) // count] for i in range(count)]


def write_about(writer: Writer, about: About) -> None:
    """Writes all but the kind, which is in the header."""
    writer.varint(about.reading or 0)
    writer.data += bytes.fromhex(about.content_hash[: 2 * HASH_BYTES])
    if about.kind == "photos":
        writer.data += bytes(round(255 * channel) for channel in about.background or (0, 0, 0))
        write_cameras(writer, about.cameras)


def read_about(reader: Reader, kind: Kind) -> About:
    reading, content_hash = reader.varint() or None, reader.take(HASH_BYTES).hex()
    if kind != "photos":
        return About(kind, content_hash, reading)
    background = vector(channel / 255 for channel in reader.take(3))
    return About(kind, content_hash, reading, background, read_cameras(reader))


def write_cameras(writer: Writer, cameras: Cameras | None) -> None:
    """Writes the count, lens model, one shared lens or one per camera, and a pose per camera."""
    count = 0 if cameras is None else len(cameras)
    if count > MOST_CAMERAS:
        raise FieldlrError(f"a .flr file keeps at most {MOST_CAMERAS} cameras; got {count}.")
    writer.byte(count)
    if cameras is None or not count:
        return
    lenses = torch.cat([cameras.sizes.double(), cameras.intrinsics, cameras.distortion], 1)
    same = bool((lenses == lenses[0]).all())
    writer.byte(LENSES.index(cameras.model) + 2 * same)
    for lens in lenses[:1] if same else lenses:
        width, height, *numbers = lens.tolist()
        writer.varint(int(width))
        writer.varint(int(height))
        ideal = not any(numbers[4:])
        writer.byte(ideal)
        writer.numbers(numbers[:4] if ideal else numbers, "single")
    for pose in cameras.camera_to_world.double():
        writer.numbers(pose[:, 3].tolist(), "single")
        quaternion = to_quaternion(pose[:, :3])
        writer.numbers([round(QUATERNION_SCALE * part) for part in quaternion], "short")


def read_cameras(reader: Reader) -> Cameras | None:
    count = reader.byte()
    if not count:
        return None
    form = reader.byte()
    if count > MOST_CAMERAS or form > 3:
        raise corrupt("invalid camera count or lens model")
    lenses = [_read_lens(reader) for _ in range(1 if form >= 2 else count)]
    sizes, intrinsics, distortion = zip(*(lenses * (count // len(lenses))), strict=True)
    poses = [_read_pose(reader) for _ in range(count)]
    return Cameras(
        camera_to_world=torch.stack(poses).float(),
        intrinsics=torch.tensor(intrinsics),
        sizes=torch.tensor(sizes, dtype=torch.int64),
        distortion=torch.tensor(distortion),
        model=LENSES[form % 2],
    )


def _read_lens(reader: Reader) -> tuple[tuple[int, int], tuple, tuple]:
    size = reader.varint(), reader.varint()
    ideal = reader.byte()
    numbers = (*reader.finite(4 if ideal else 10, "single"), *(0.0,) * (6 if ideal else 0))
    if not all(0 < side <= MOST_PIXELS for side in size) or min(numbers[:2]) <= 0:
        raise corrupt("a camera has an invalid image size or focal length")
    return size, numbers[:4], numbers[4:]


def _read_pose(reader: Reader) -> torch.Tensor:
    position = reader.finite(3, "single")
    quaternion = reader.numbers(4, "short")
    if not any(quaternion):
        raise corrupt("a camera has a zero quaternion")
    place = torch.tensor(position, dtype=torch.float64)
    return torch.cat([from_quaternion(quaternion), place[:, None]], 1)
