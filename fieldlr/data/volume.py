"""Occupancy volumes: booleans on a grid, eight to a byte."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from fieldlr.data.grids import mixed
from fieldlr.data.scene import FARTHEST
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, Vector, far_offset, vector
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh

Shape = tuple[int, int, int]
Grid = Bool[np.ndarray, "nx ny nz"]

MAX_VOXELS = 2**31
_BITS_IN_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1)
_SLAB_VOXELS = 2**23
SMALLEST_VOXEL = 1e-18
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
    facts: Mapping[str, Any] = field(default_factory=dict)  # what a reader found, for `check`

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
    facts: Mapping[str, Any] | None = None,
) -> OccupancyVolume:
    """A volume of booleans (nx, ny, nz); without a box, one voxel is one unit of the world."""
    return from_packed(name, np.packbits(grid), grid.shape, aabb, mesh, warnings, facts)


def from_packed(
    name: str,
    packed: UInt8[np.ndarray, " bytes"],
    shape: Sequence[int],
    aabb: Aabb | None = None,
    mesh: TriangleMesh | None = None,
    warnings: tuple[str, ...] = (),
    facts: Mapping[str, Any] | None = None,
) -> OccupancyVolume:
    """As `make_volume`, of the bits of a grid."""
    nx, ny, nz = map(int, shape)
    counts = nx, ny, nz
    spare_bits = 8 * len(packed) - math.prod(counts)
    packed[-1] &= 0xFF << spare_bits & 0xFF  # equal solids shall have equal bytes
    aabb = aabb or Aabb((0.0, 0.0, 0.0), vector(map(float, counts)))
    digest = hashlib.sha256(repr((counts, aabb)).encode())
    digest.update(packed.tobytes())
    offset = far_offset(aabb)
    aabb = Aabb(*(vector(np.subtract(c, offset).tolist()) for c in (aabb.minimum, aabb.maximum)))
    if mesh is not None and any(offset):
        mesh = replace(mesh, vertices=mesh.vertices - offset)
    _require_distinct_voxels(name, aabb, counts)
    frame, told = Similarity(translation=offset), facts or {}
    volume = OccupancyVolume(
        name, packed, counts, aabb, mesh, warnings, digest.hexdigest(), frame, told
    )
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
            "float32 cannot tell them apart. Move it near the origin, and scale it to a size "
            "near 1."
        )
