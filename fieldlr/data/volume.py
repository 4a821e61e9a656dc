"""Occupancy volumes: booleans on a grid, eight to a byte, and how they are read from .npz and .npy.

A volume file is an .npz with `packed` (uint8, `numpy.packbits` of the C-order grid), `shape` (three
integers) and, if it has a place in the world, `aabb` (2, 3); or a boolean .npy. Sizes are checked
in the headers, before anything is allocated; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.lib import format as npy_format
from torch import Tensor

from fieldlr.data.arrays import mapped
from fieldlr.data.grids import mixed
from fieldlr.data.scene import FARTHEST
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, Vector, far_offset, vector
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.system import memory

Shape = tuple[int, int, int]
Grid = Bool[np.ndarray, "nx ny nz"]

MAX_VOXELS = 2**31
_BITS_IN_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1)
_SLAB_VOXELS = 2**23
SMALLEST_VOXEL = 1e-18
# What numpy.savez and numpy.savez_compressed write; others expand a thousandfold in one step.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
# name: (its numbers in words, their types).
MEMBERS = {
    "shape": ("whole", ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")),
    "packed": ("uint8", ("u1",)),
    "aabb": ("real", ("f2", "f4", "f8")),
}
# Voxels about the surface that a task lists, and in how many layers they are counted beforehand.
NEAR_VOXELS, COUNTED_LAYERS = 3, 16


@dataclass(frozen=True, eq=False)
class OccupancyVolume:
    """A solid as booleans: voxel (i, j, k) has its centre at minimum + (index + 0.5) voxel sizes.

    A flat index is that of the C-order grid: (i * shape[1] + j) * shape[2] + k.
    """

    name: str
    packed: UInt8[np.ndarray, " bytes"]  # numpy.packbits of the C-order grid
    shape: Shape
    aabb: Aabb  # in the internal frame
    mesh: TriangleMesh | None  # the surface that it came from, for surface metrics; internal frame
    warnings: tuple[str, ...]
    content_hash: str
    frame: Similarity = Similarity()  # to the user's: a shift, where that is far from the origin

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        return f"OccupancyVolume {self.name}: {shape} voxels, {100 * self.fraction:.3g} % full"

    @property
    def num_voxels(self) -> int:
        return math.prod(self.shape)

    @property
    def memory_bytes(self) -> int:
        mesh = self.mesh
        return self.packed.nbytes + (mesh.vertices.nbytes + mesh.faces.nbytes if mesh else 0)

    @property
    def fit_bytes(self) -> int:
        """Bytes that a fit takes because of the solid: once as booleans, and what is near listed.

        Three slabs of booleans are held while the voxels near the surface are looked for, and
        each of those is an 8-byte number in a list of parts and then in one.
        """
        _, ny, nz = self.shape
        slab = min(self.num_voxels, max(_SLAB_VOXELS, 7 * ny * nz))
        near = int(self._near_share * self.num_voxels)
        return self.memory_bytes + self.num_voxels + 3 * slab + 16 * near

    @cached_property
    def _near_share(self) -> float:
        """The share of voxels near the surface, counted in a few layers."""
        dense, nx = self.dense(), self.shape[0]
        layers = np.unique(np.linspace(0, nx - 1, COUNTED_LAYERS).astype(int))
        shares = []
        for layer in layers:
            low = max(layer - NEAR_VOXELS, 0)
            both = mixed(dense[low : layer + NEAR_VOXELS + 1], NEAR_VOXELS)
            shares.append(both[layer - low].mean())
        return float(np.mean(shares))

    @cached_property
    def fraction(self) -> float:
        """The share of voxels that are full."""
        return int(_BITS_IN_BYTE[self.packed].sum()) / self.num_voxels

    @property
    def voxel_size(self) -> Vector:
        return vector(s / n for s, n in zip(self.aabb.size, self.shape, strict=True))

    def dense(self) -> Grid:
        """Booleans of shape `shape`."""
        bits = np.unpackbits(self.packed, count=self.num_voxels)
        return bits.view(bool).reshape(self.shape)

    def occupied(self, flat_indices: Int[Tensor, " m"]) -> Bool[Tensor, " m"]:
        """Booleans (M,) of flat indices (M,) int64."""
        packed = self._packed_on(flat_indices.device)
        shift = 7 - (flat_indices & 7)
        return (packed[flat_indices >> 3] >> shift.to(torch.uint8)).bitwise_and_(1).bool()

    def centers(self, flat_indices: Int[Tensor, " m"]) -> Float[Tensor, "m 3"]:
        """World positions (M, 3) float32 of the centres of voxels (M,) int64."""
        _, ny, nz = self.shape
        column = flat_indices // nz
        index = torch.stack([column // ny, column % ny, flat_indices % nz], -1)
        size = torch.tensor(self.voxel_size, dtype=torch.float64, device=index.device)
        low = torch.tensor(self.aabb.minimum, dtype=torch.float64, device=index.device)
        return (low + (index + 0.5) * size).float()

    def near_surface(self, voxels: int) -> Int[Tensor, " m"]:
        """Flat indices (M,) int64, sorted, of the voxels that have one of the other kind near.

        Near is a Chebyshev distance of at most `voxels`; 1 is the two layers that touch the
        surface, corners included. The outside of the box counts as neither kind.
        """
        dense, (nx, ny, nz) = self.dense(), self.shape
        slab = max(1, _SLAB_VOXELS // (ny * nz))
        found = []
        for start in range(0, nx, slab):
            stop = min(start + slab, nx)
            low, high = max(start - voxels, 0), min(stop + voxels, nx)
            both = mixed(dense[low:high], voxels)[start - low : stop - low]
            found.append(np.flatnonzero(both) + start * ny * nz)
        return torch.from_numpy(np.concatenate(found))

    def _packed_on(self, device: torch.device) -> Tensor:
        if device not in self._packed_tensors:
            self._packed_tensors[device] = torch.from_numpy(self.packed).to(device)
        return self._packed_tensors[device]

    @cached_property
    def _packed_tensors(self) -> dict[torch.device, Tensor]:
        return {}


def make_volume(
    name: str,
    grid: Grid,
    aabb: Aabb | None = None,
    mesh: TriangleMesh | None = None,
    warnings: tuple[str, ...] = (),
) -> OccupancyVolume:
    """A volume of booleans (nx, ny, nz); without a box, one voxel is one unit of the world."""
    return _from_packed(name, np.packbits(grid), grid.shape, aabb, mesh, warnings)


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
    return _from_packed(path.stem, packed, shape, _checked_aabb(path, box))


def _from_packed(name, packed, shape, aabb, mesh=None, warnings=()) -> OccupancyVolume:
    nx, ny, nz = map(int, shape)
    shape = nx, ny, nz
    spare_bits = 8 * len(packed) - math.prod(shape)
    packed[-1] &= 0xFF << spare_bits & 0xFF  # equal solids shall have equal bytes
    aabb = aabb or Aabb((0.0, 0.0, 0.0), vector(map(float, shape)))
    digest = hashlib.sha256(repr((shape, aabb)).encode())
    digest.update(packed)
    offset = far_offset(aabb)
    aabb = Aabb(*(vector(np.subtract(c, offset).tolist()) for c in (aabb.minimum, aabb.maximum)))
    if mesh is not None and any(offset):
        mesh = replace(mesh, vertices=mesh.vertices - offset)
    _require_distinct_voxels(name, aabb, shape)
    frame, notes = Similarity(translation=offset), tuple(warnings)
    volume = OccupancyVolume(name, packed, shape, aabb, mesh, notes, digest.hexdigest(), frame)
    if volume.fraction in (0.0, 1.0):
        kind = "empty" if volume.fraction == 0.0 else "full"
        raise FieldlrError(
            f"A solid needs an inside and an outside; all {volume.num_voxels:,} voxels of {name} "
            f"are {kind}. Check the threshold it was made with."
        )
    return volume


def _require_distinct_voxels(name: str, aabb: Aabb, shape: Shape) -> None:
    """FieldlrError where float32, in which fields are trained, cannot tell voxels apart."""
    farthest = max(map(abs, (*aabb.minimum, *aabb.maximum)))
    voxel = min(size / n for size, n in zip(aabb.size, shape, strict=True))
    if not SMALLEST_VOXEL < voxel or not 2.0**-22 * farthest < voxel or farthest > FARTHEST:
        raise FieldlrError(
            f"The voxels of {name} are {voxel:g} wide and up to {farthest:g} from the origin: "
            "float32 cannot tell them apart. Move it near the origin, and scale it to ordinary "
            "numbers."
        )


Stored = tuple[np.ndarray, Shape, np.ndarray | None]  # packed, shape, aabb


def _read_npz(path: Path, most_bytes: int | None) -> Stored:
    with zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        if not {"packed.npy", "shape.npy"} <= members:
            given = ", ".join(sorted(name.removesuffix(".npy") for name in members)) or "nothing"
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
            f"and type {grid.dtype}. Save it with numpy.save(file, grid > threshold)."
        )
    shape = _checked_shape(path, grid.shape, most_bytes)
    return np.packbits(grid), shape, None


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
