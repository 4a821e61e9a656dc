"""Samples of a level on a fine lattice, taken only where its surface may be.

The lattice is read on a coarse stride first. Where the corners of a cell differ in sign, the cell
and the ring of its neighbours are read at half the stride, and so on (multi-resolution isosurface
extraction: Mescheder et al. 2019, Occupancy Networks, section 3.3). At every stride but the finest
the surface is also followed: where it leaves the cells that were read, the next ones are read too,
until it closes.

What is guaranteed: each sample that was read has the value that a dense reading gives, and all
others have the sign of their surroundings; so the triangles are those of the dense reading, one
for one, as long as no part of the surface is invisible to the coarse samples. What is not: a body
or a hole that lies wholly between coarse samples is missed, and a sheet or a wire thinner than
three fine cells (the corner of a shape that the box cuts, say) may end too early, closed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fieldlr.surface.lattice import Lattice, Sampler

COARSEST_SAMPLES = 64
SLAB_SAMPLES = 1 << 24
RING = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
CORNERS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)

Slab = tuple[int, np.ndarray]  # its first node along x; values (nodes of the slab, ny, nz)


def coarsest_stride(lattice: Lattice) -> int:
    """The largest power of two that leaves COARSEST_SAMPLES along the longest edge."""
    stride = 1
    while max(lattice.counts) // (2 * stride) >= COARSEST_SAMPLES:
        stride *= 2
    return stride


def dense_slabs(sampler: Sampler) -> Iterator[Slab]:
    """Every sample, slab by slab; neighbours share a layer."""
    shape = sampler.lattice.shape(1, 1)
    values = None
    for start, stop in _slab_bounds(shape, 1):
        carried = None if values is None else values[-1]
        values = np.empty((stop - start + 1, *shape[1:]), np.float32)
        mask = np.ones(values.shape, bool)
        _carry(carried, values, mask)
        _read(sampler, values, mask, 1, start)
        yield start, values


def refined_slabs(sampler: Sampler, coarsest: int) -> Iterator[Slab]:
    """The slabs of `dense_slabs`, read coarse to fine from the stride `coarsest` >= 2."""
    values, active = _coarse_levels(sampler, coarsest)
    fine = None
    for start, stop in _slab_bounds(sampler.lattice.shape(1, coarsest), 2):
        low, high = start // 2, stop // 2
        carried = None if fine is None else fine[-1]
        # One more layer of cells on each side: their corners lie on the slab's faces.
        before = min(low, 1)
        mask = _corners_of(_doubled(active[low - before : high + 1]))
        mask = mask[2 * before : 2 * before + stop - start + 1]
        fine = _between(values[low : high + 1])
        _carry(carried, fine, mask)
        _read(sampler, fine, mask, 1, start)
        yield start, fine


def _coarse_levels(sampler: Sampler, coarsest: int) -> tuple[np.ndarray, np.ndarray]:
    """Values at the nodes of stride 2, and which cells of stride 2 to read finely."""
    values = np.empty(sampler.lattice.shape(coarsest, coarsest), np.float32)
    _read(sampler, values, np.ones(values.shape, bool), coarsest)
    active = _dilated(_crossing(values))
    stride = coarsest
    while stride > 2:
        stride //= 2
        values, visited = _between(values), _doubled(active)
        _read(sampler, values, _corners_of(visited), stride)
        _follow(sampler, values, visited, stride)
        active = _dilated(_crossing(values))
    return values, active


def _follow(sampler: Sampler, values: np.ndarray, visited: np.ndarray, stride: int) -> None:
    """Reads on along the surface until it no longer leaves the cells `visited`; fills both."""
    leaks = np.argwhere(_crossing(values) & ~visited)
    while len(leaks):
        grown = _unvisited_ring(leaks, visited)
        visited[tuple(grown.T)] = True
        nodes = (grown[:, None] + CORNERS).reshape(-1, 3)
        nodes = np.unique(nodes, axis=0)
        values[tuple(nodes.T)] = sampler(nodes * stride)
        leaks = _unvisited_ring(grown, visited)
        inside = values[tuple((leaks[:, None] + CORNERS).transpose(2, 0, 1))] > 0
        leaks = leaks[inside.any(1) & ~inside.all(1)]


def _unvisited_ring(cells: np.ndarray, visited: np.ndarray) -> np.ndarray:
    """The cells (K, 3) and their neighbours, those not visited yet."""
    ring = (cells[:, None] + RING).reshape(-1, 3)
    ring = ring[((ring >= 0) & (ring < visited.shape)).all(1)]
    return np.unique(ring[~visited[tuple(ring.T)]], axis=0)


def _slab_bounds(shape: tuple[int, int, int], multiple: int) -> Iterator[tuple[int, int]]:
    """First and last node of each slab: about SLAB_SAMPLES samples, whole multiples of cells."""
    cells = max(SLAB_SAMPLES // (shape[1] * shape[2]) // multiple, 1) * multiple
    for start in range(0, shape[0] - 1, cells):
        yield start, min(start + cells, shape[0] - 1)


def _carry(face: np.ndarray | None, values: np.ndarray, mask: np.ndarray) -> None:
    """Hands the last layer of a slab to the next one, so that both see the same samples there."""
    if face is not None:
        values[0], mask[0] = face, False


def _read(
    sampler: Sampler, values: np.ndarray, mask: np.ndarray, stride: int, start: int = 0
) -> None:
    """Reads the level at the masked nodes, layer by layer to keep the lists of nodes short."""
    layers = max((1 << 22) // mask[0].size, 1)
    for first in range(0, len(mask), layers):
        part = slice(first, first + layers)
        nodes = np.argwhere(mask[part]) * stride
        nodes[:, 0] += first * stride + start
        values[part][mask[part]] = sampler(nodes)


def _between(values: np.ndarray) -> np.ndarray:
    """Values at half the stride: a new node takes its lower neighbour's."""
    for axis in range(3):
        values = np.delete(np.repeat(values, 2, axis), -1, axis)
    return values


def _doubled(cells: np.ndarray) -> np.ndarray:
    """Cells of one stride as cells of half the stride."""
    for axis in range(3):
        cells = np.repeat(cells, 2, axis)
    return cells


def _crossing(values: np.ndarray) -> np.ndarray:
    """Cells whose eight corners differ in sign."""
    some = every = values > 0
    for axis in range(3):
        lower, upper = _halves(axis)
        some, every = some[lower] | some[upper], every[lower] & every[upper]
    return some & ~every


def _corners_of(cells: np.ndarray) -> np.ndarray:
    """Nodes that are a corner of one of the cells."""
    for axis in range(3):
        lower, upper = _halves(axis)
        nodes = np.zeros([n + (i == axis) for i, n in enumerate(cells.shape)], bool)
        nodes[lower] |= cells
        nodes[upper] |= cells
        cells = nodes
    return cells


def _dilated(cells: np.ndarray) -> np.ndarray:
    """The cells and their 26 neighbours."""
    for axis in range(3):
        lower, upper = _halves(axis)
        grown = cells.copy()
        grown[lower] |= cells[upper]
        grown[upper] |= cells[lower]
        cells = grown
    return cells


def _halves(axis: int) -> tuple[tuple, tuple]:
    """Indices that leave out the last and the first layer along an axis."""
    whole = (slice(None),) * axis
    return (*whole, slice(None, -1)), (*whole, slice(1, None))
