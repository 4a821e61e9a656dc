"""What travels in a file beside the field: how its source was read, and from where it was seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fieldlr.codec.octets import Reader, Writer, broken
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Vector, vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rotations import from_quaternion, to_quaternion

# Cameras that a file keeps at most: enough for an orbit, a spiral and a look at the held-out views.
MOST_CAMERAS = 8
MOST_PIXELS = 1 << 15
LENSES = ("perspective", "fisheye")
HASH_BYTES = 4
# Quaternions are stored in these parts of 1.
TURN = 32767


@dataclass(frozen=True)
class About:
    """The source of a field, as far as a file tells.

    `reading` is the downscale of photos or the grid of a mesh, None for the reader's choice;
    `content_hash` is hexadecimal, and a file keeps its first eight digits.
    """

    kind: Kind = "mesh"
    content_hash: str = "00000000"
    reading: int | None = None
    background: Vector | None = None  # behind photos
    cameras: Cameras | None = None  # some held-out views of photos, in the field's frame


def few(cameras: Cameras, chosen: tuple[int, ...]) -> Cameras:
    """At most MOST_CAMERAS of the chosen cameras (of all where none is chosen), evenly spread."""
    chosen = chosen or tuple(range(len(cameras)))
    count = min(len(chosen), MOST_CAMERAS)
    return cameras[torch.tensor([chosen[i * len(chosen) // count] for i in range(count)])]


def write_about(writer: Writer, about: About) -> None:
    """Everything but the kind."""
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
    """Count; lens model and one lens for all, or one a camera; a position and a turn a camera."""
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
        writer.numbers([round(TURN * part) for part in to_quaternion(pose[:, :3])], "short")


def read_cameras(reader: Reader) -> Cameras | None:
    count = reader.byte()
    if not count:
        return None
    form = reader.byte()
    if count > MOST_CAMERAS or form > 3:
        raise broken("its cameras make no sense")
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
        raise broken("a lens in it is impossible")
    return size, numbers[:4], numbers[4:]


def _read_pose(reader: Reader) -> torch.Tensor:
    position = reader.finite(3, "single")
    quaternion = reader.numbers(4, "short")
    if not any(quaternion):
        raise broken("a camera has a zero quaternion")
    place = torch.tensor(position, dtype=torch.float64)
    return torch.cat([from_quaternion(quaternion), place[:, None]], 1)
