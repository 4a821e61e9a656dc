"""Coarse-to-fine sampling of a level, only near its surface.

The lattice is sampled at a coarse stride first. Where the corners of a cell differ in sign, its
eight children and the ring of cells around them are sampled at half the stride, and so on
(multi-resolution isosurface extraction: Mescheder et al. 2019, Occupancy Networks, section 3.3).
The surface is also tracked: where it leaves the sampled cells, the next ones are sampled too.

Guaranteed: evaluated samples have the values of dense sampling, and all others the sign of their
surroundings; so the triangles are exactly those of dense sampling, provided that the coarse samples
detect every part of the surface. Not guaranteed: a component or a hole that lies entirely between
coarse samples is missed, and a sheet or a wire thinner than three fine cells (such as the corner of
a shape cut by the box) may be closed too early.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from fieldlr.surface.lattice import Lattice, Sampler

COARSEST_SAMPLES = 64
SLAB_SAMPLES = 1 << 24
HALO = 4  # cells of stride 2 by which a slab extends beyond its faces
RING = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
CORNERS = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)

# The first node along x, and values at the nodes of the slab.
Slab = tuple[int, Float[np.ndarray, "nx ny nz"]]


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
    """The slabs of `dense_slabs`, sampled coarse to fine from the stride `coarsest` >= 2."""
    values, crossing, known = _coarse_levels(sampler, coarsest)
    last = None
    for start, stop in _slab_bounds(sampler.lattice.shape(1, coarsest), 2):
        # The surface is tracked beyond the slab's faces: the result is independent of slabs.
        low, high = max(start // 2 - HALO, 0), min(stop // 2 + HALO, len(values) - 1)
        fine = _between(values[low : high + 1])
        visited = _dilated(_doubled(crossing[low:high]))
        mask = _corners_of(visited)
        mask[::2, ::2, ::2] &= ~known[low : high + 1]
        _read(sampler, fine, mask, 1, 2 * low)
        _track(sampler, fine, visited, 1, 2 * low)
        fine = fine[start - 2 * low : stop - 2 * low + 1]
        if last is not None:
            fine[0] = last  # Neighbours share the samples on their common face.
        last = fine[-1]
        yield start, fine


def _coarse_levels(sampler: Sampler, coarsest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At stride 2: values at the nodes, cells that the surface crosses, nodes evaluated."""
    values = np.empty(sampler.lattice.shape(coarsest, coarsest), np.float32)
    known = np.ones(values.shape, bool)
    _read(sampler, values, known, coarsest)
    stride = coarsest
    while stride > 2:
        stride //= 2
        visited = _dilated(_doubled(_crossing(values)))
        values = _between(values)
        mask = _corners_of(visited)
        mask[::2, ::2, ::2] &= ~known
        _read(sampler, values, mask, stride)
        _track(sampler, values, visited, stride)
        before, known = known, _corners_of(visited)
        known[::2, ::2, ::2] |= before
    return values, _crossing(values), known


def _track(
    sampler: Sampler, values: np.ndarray, visited: np.ndarray, stride: int, start: int = 0
) -> None:
    """Evaluates further cells until the surface no longer leaves `visited`; updates both arrays.

    `start` is the position of the first layer of `values` along x.
    """
    leaks = np.argwhere(_crossing(values) & ~visited)
    while len(leaks):
        visited[tuple(leaks.T)] = True
        nodes = np.zeros(values.shape, bool)
        nodes[_shifted(leaks, CORNERS)] = True
        values[nodes] = sampler(np.argwhere(nodes) * stride + (start, 0, 0))
        beside = np.zeros(visited.shape, bool)
        beside[_shifted(leaks, RING, visited.shape)] = True
        leaks = np.argwhere(beside & ~visited)
        inside = values[tuple((leaks[:, None] + CORNERS).transpose(2, 0, 1))] > 0
        leaks = leaks[inside.any(1) & ~inside.all(1)]


def _shifted(
    cells: np.ndarray, shifts: np.ndarray, shape: tuple[int, ...] | None = None
) -> tuple[np.ndarray, ...]:
    """Indices of the cells (K, 3) moved by each shift, restricted to `shape`."""
    moved = (cells[:, None] + shifts).reshape(-1, 3)
    if shape is not None:
        moved = moved[((moved >= 0) & (moved < shape)).all(1)]
    return tuple(moved.T)


def _slab_bounds(shape: tuple[int, int, int], multiple: int) -> Iterator[tuple[int, int]]:
    """First and last node of each slab of about SLAB_SAMPLES samples and `multiple` cells."""
    cells = max(SLAB_SAMPLES // (shape[1] * shape[2]) // multiple, 1) * multiple
    for start in range(0, shape[0] - 1, cells):
        yield start, min(start + cells, shape[0] - 1)


def _carry(face: np.ndarray | None, values: np.ndarray, mask: np.ndarray) -> None:
    """Copies the last layer of a slab to the next one, instead of evaluating it again."""
    if face is not None:
        values[0], mask[0] = face, False


def _read(
    sampler: Sampler, values: np.ndarray, mask: np.ndarray, stride: int, start: int = 0
) -> None:
    """Evaluates the level at the masked nodes, a few layers at a time to save memory."""
    layers = max((1 << 22) // mask[0].size, 1)
    for first in range(0, len(mask), layers):
        part = slice(first, first + layers)
        nodes = np.argwhere(mask[part]) * stride
        nodes[:, 0] += first * stride + start
        values[part][mask[part]] = sampler(nodes)


def _between(values: np.ndarray) -> np.ndarray:
    """Values at half the stride: a new node gets the value of its lower neighbour."""
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
    """Nodes that are corners of the cells."""
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


def _halves(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Indices that exclude the last and the first layer along an axis."""
    whole = (slice(None),) * axis
    return (*whole, slice(None, -1)), (*whole, slice(1, None))
