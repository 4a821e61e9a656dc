"""The generalised winding number of oriented points (Barill et al. 2018).

w(q) = sum_i a_i n_i . (p_i - q) / (4 pi |p_i - q|^3), the solid angle of the surface that the
points stand for: 1 inside of a closed one, 0 outside. Points in a cell of an octree that is seen
from far count as one dipole in their middle; what is far is decided once for a block of queries.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

# A cell that is farther than this many of its radii counts as one dipole.
FAR = 3.0
LEAF_POINTS, MOST_LEVELS = 8, 12
BLOCKS_AT_ONCE = 512

Points = Float[np.ndarray, "n 3"]
Weights = Float[np.ndarray, " n"]


class WindingNumber:
    """The winding number of points with normals and areas, at blocks of queries."""

    def __init__(self, points: Points, normals: Points, areas: Weights):
        # Cells of an octree, level by level: children of a cell stand side by side.
        low, longest = points.min(0), float(np.ptp(points, axis=0).max()) or 1.0
        steps = ((points - low) / longest * (2**MOST_LEVELS - 1)).astype(np.int64)
        key = _interleaved(steps)
        order = np.argsort(key, kind="stable")
        self.points, self.moments = points[order], (areas[:, None] * normals)[order]
        key = key[order]
        first, stop, child, level = [0], [len(points)], [(0, 0)], 0
        cells = np.array([0])
        while len(cells) and level < MOST_LEVELS:
            level += 1
            split = [c for c in cells if stop[c] - first[c] > LEAF_POINTS]
            begun = len(first)
            for cell in split:
                own = key[first[cell] : stop[cell]] >> 3 * (MOST_LEVELS - level)
                cuts = first[cell] + np.flatnonzero(np.diff(own)) + 1
                edges = [first[cell], *cuts.tolist(), stop[cell]]
                child[cell] = (len(first), len(first) + len(edges) - 1)
                first += edges[:-1]
                stop += edges[1:]
                child += [(0, 0)] * (len(edges) - 1)
            cells = np.arange(begun, len(first))
        self.first, self.stop, self.child = map(np.array, (first, stop, child))
        self._gather(areas[order])

    def _gather(self, areas: Weights) -> None:
        """Middle, radius and dipole of every cell."""
        weight = np.maximum(areas, 1e-300)[:, None]
        self.middle = self._sums(weight * self.points) / self._sums(weight)
        self.dipole = self._sums(self.moments)
        owner, point = _ranges(self.first, self.stop)
        distance = np.linalg.norm(self.points[point] - self.middle[owner], axis=1)
        self.radius = np.zeros(len(self.first))
        np.maximum.at(self.radius, owner, distance)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        return running[self.stop] - running[self.first]

    def __call__(
        self, middles: Float[np.ndarray, "b 3"], offsets: Float[np.ndarray, "k 3"]
    ) -> Float[np.ndarray, "b k"]:
        """The number at `middles` + `offsets`: K queries in each of B blocks."""
        radius = float(np.linalg.norm(offsets, axis=1).max())
        found = np.zeros((len(middles), len(offsets)))
        for start in range(0, len(middles), BLOCKS_AT_ONCE):
            part = middles[start : start + BLOCKS_AT_ONCE]
            for block, places, moments in self._dipoles(part, radius):
                queries = offsets - (places.mean(0) - part[block])
                found[start + block] = _sum(queries, places - places.mean(0), moments)
        return found

    def _dipoles(
        self, middles: np.ndarray, radius: float
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """(block, places, moments) of all that each block sees: far cells and near points."""
        blocks, places, moments = [], [], []
        block, cell = np.arange(len(middles)), np.zeros(len(middles), np.int64)
        while len(block):
            distance = np.linalg.norm(self.middle[cell] - middles[block], axis=1)
            far = distance > FAR * self.radius[cell] + radius
            blocks.append(block[far])
            places.append(self.middle[cell[far]])
            moments.append(self.dipole[cell[far]])
            leaf = ~far & (self.child[cell, 1] == 0)
            owner, point = _ranges(self.first[cell[leaf]], self.stop[cell[leaf]])
            blocks.append(block[leaf][owner])
            places.append(self.points[point])
            moments.append(self.moments[point])
            inner = ~far & ~leaf
            owner, below = _ranges(self.child[cell[inner], 0], self.child[cell[inner], 1])
            block, cell = block[inner][owner], below
        order = np.argsort(np.concatenate(blocks), kind="stable")
        place, moment = np.concatenate(places)[order], np.concatenate(moments)[order]
        ends = np.cumsum(np.bincount(np.concatenate(blocks), minlength=len(middles)))
        for number, (first, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            yield number, place[first:stop], moment[first:stop]


def _sum(queries: np.ndarray, places: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """sum_i m_i . (p_i - q) / (4 pi |p_i - q|^3) at every q."""
    squared = (queries**2).sum(1)[:, None] + (places**2).sum(1) - 2.0 * queries @ places.T
    np.maximum(squared, 1e-300, out=squared)
    across = (moments * places).sum(1) - queries @ moments.T
    across /= squared
    across /= np.sqrt(squared, out=squared)
    return across.sum(1) / (4.0 * np.pi)


def _ranges(
    first: Int[np.ndarray, " n"], stop: Int[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray]:
    """(owner, value) of all whole numbers first <= value < stop of every owner."""
    counts = stop - first
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, first[owner] + np.arange(len(owner)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )


def _interleaved(steps: Int[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """Morton keys: the bits of the three coordinates by turns."""
    key = np.zeros(len(steps), np.int64)
    for bit in range(MOST_LEVELS):
        for axis in range(3):
            key |= ((steps[:, axis] >> bit) & 1) << (3 * bit + axis)
    return key
