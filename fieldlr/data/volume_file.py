"""Reads volumes from .npz and .npy.

A volume file is an .npz with `packed` (uint8, `numpy.packbits` of the C-order grid), `shape` (three
integers) and, if it has a place in the world, `aabb` (2, 3); or a boolean .npy. Sizes are checked
in the headers, before anything is allocated; nothing is ever unpickled.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from fieldlr.data.arrays import mapped
from fieldlr.data.volume import MAX_VOXELS, OccupancyVolume, Shape, from_packed
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.system import memory

# What numpy.savez and numpy.savez_compressed write; others expand a thousandfold in one step.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
# name: (its numbers in words, their types).
MEMBERS = {
    "shape": ("whole", ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")),
    "packed": ("uint8", ("u1",)),
    "aabb": ("real", ("f2", "f4", "f8")),
}


def can_read(path: Path) -> bool:
    return path.suffix.lower() in (".npz", ".npy") and path.is_file()


def read(path: Path, most_bytes: int | None = None) -> OccupancyVolume:
    """The volume in an .npz with `packed` and `shape`, or in a boolean .npy."""
    read_file = _read_npz if path.suffix.lower() == ".npz" else _read_npy
    try:
        packed, shape, box = read_file(path, most_bytes)
    except (FieldlrError, MemoryError):
        raise
    except Exception as error:  # what unpacks and parses a damaged file can end in any error
        raise FieldlrError(
            f"{path.name} is not a readable volume ({str(error)[:200]}). Save one with "
            "numpy.savez(file, packed=numpy.packbits(grid), shape=grid.shape)."
        ) from error
    return from_packed(path.stem, packed, shape, _checked_aabb(path, box))


Stored = tuple[np.ndarray, Shape, np.ndarray | None]  # packed, shape, aabb


def _read_npz(path: Path, most_bytes: int | None) -> Stored:
    with zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        if not {"packed.npy", "shape.npy"} <= members:
            given = ", ".join(sorted(name.removesuffix(".npy") for name in members)) or "nothing"
            if any(name.startswith("world_mat_") for name in members):
                raise FieldlrError(
                    f"{path.name} holds cameras (of DTU or IDR), which are not read. Write them as "
                    "a transforms.json beside the photos, or run fieldlr poses on these."
                )
            raise FieldlrError(
                f"A volume .npz holds `packed` and `shape`; {path.name} holds {given[:200]}. Save "
                "it with numpy.savez(file, packed=numpy.packbits(grid), shape=grid.shape)."
            )
        shape = _member(archive, "shape", 3).tolist()
        shape = _checked_shape(path, shape, most_bytes)
        num_bytes = (math.prod(shape) + 7) // 8
        packed = _member(archive, "packed", num_bytes)
        box = _member(archive, "aabb", 6) if "aabb.npy" in members else None
    return packed, shape, box


def _member(archive: zipfile.ZipFile, name: str, count: int) -> np.ndarray:
    """The array `name`, flat, once its header promises `count` numbers of its kind."""
    words, types = MEMBERS[name]
    if archive.getinfo(f"{name}.npy").compress_type not in COMPRESSIONS:
        raise ValueError(f"`{name}` is compressed in a way that numpy does not write")
    with archive.open(f"{name}.npy") as stream:
        shape, _, dtype = HEADERS[npy_format.read_magic(stream)](stream)
    if dtype.str[1:] not in types or math.prod(shape) != count:
        given = "objects" if dtype.hasobject else f"{math.prod(shape):,} numbers of type {dtype}"
        raise ValueError(f"`{name}` must be {count:,} numbers ({words}), it has {given}")
    with archive.open(f"{name}.npy") as stream:
        return npy_format.read_array(stream, allow_pickle=False).reshape(-1)


def _read_npy(path: Path, most_bytes: int | None) -> Stored:
    grid = mapped(path)
    if grid.dtype != bool or grid.ndim != 3:
        raise FieldlrError(
            f"A volume .npy is a boolean array with three axes; {path.name} has shape {grid.shape} "
            f"and type {grid.dtype}. {_advice(grid)}"
        )
    shape = _checked_shape(path, grid.shape, most_bytes)
    return np.packbits(grid), shape, None


def _advice(grid: np.ndarray) -> str:
    """How an array becomes booleans of three axes."""
    if grid.ndim != 3:
        part = "one of them" if grid.ndim > 3 else "a volume"
        axes = "leave out axes of one entry: grid.squeeze()" if 1 in grid.shape else f"save {part}"
        return f"It needs three axes: {axes}."
    if grid.dtype.kind == "f":
        some = np.asarray(grid[:: max(1, grid.shape[0] // 16)])
        if (some < 0).any() and (some > 0).any():
            return (
                "Values of both signs are signed distances, negative inside: save them with "
                "numpy.save(file, grid < 0), or grid > 0 where inside is positive."
            )
    return "Save it with numpy.save(file, grid > threshold)."


def _checked_shape(path: Path, shape: Sequence[int], most_bytes: int | None) -> Shape:
    if min(shape) < 1 or math.prod(int(n) for n in shape) > MAX_VOXELS:
        raise FieldlrError(
            f"A volume has 1 to {MAX_VOXELS:,} voxels; {path.name} has "
            f"{' x '.join(map(str, shape))}. Crop it to its content or make it coarser."
        )
    num_bytes = memory.BASE_BYTES + 2 * math.prod(int(n) for n in shape)
    memory.require(num_bytes, most_bytes, "Make the volume coarser.")
    nx, ny, nz = shape
    return nx, ny, nz


def _checked_aabb(path: Path, box: np.ndarray | None) -> Aabb | None:
    if box is None:
        return None
    low, high = box.reshape(2, 3).astype(float).tolist()
    if not np.isfinite(box).all() or any(b <= a for a, b in zip(low, high, strict=True)):
        raise FieldlrError(
            f"A box has a minimum below its maximum; `aabb` of {path.name} is {low} to {high}. "
            "Write it as [[x0, y0, z0], [x1, y1, z1]], or leave it out."
        )
    return Aabb(vector(low), vector(high))
