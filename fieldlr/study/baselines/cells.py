"""Means over the cells of a coarse grid, and interpolation between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

SLAB_VOXELS = 1 << 24


def cell_means(values: Float[np.ndarray, "nx ny nz"], size: int) -> Float[np.ndarray, "bx by bz"]:
    """Means over cells of size³ voxels; the last cells may be smaller."""
    total, count = values, np.ones((), np.float32)
    for axis, n in enumerate(values.shape):
        starts = np.arange(0, n, size)
        total = np.add.reduceat(total, starts, axis=axis)
        count = np.multiply.outer(count, np.diff(np.append(starts, n)).astype(np.float32))
    return total / count


def between(size: int, cell: int, cubic: bool = False) -> Float[np.ndarray, "size cells"]:
    """Interpolation weights (size, cells) between centres of cells; see `weights_at`."""
    place = (np.arange(size) + 0.5) / cell - 0.5
    return weights_at(place, -(-size // cell), cubic)


def weights_at(
    place: Float[np.ndarray, " n"], count: int, cubic: bool = False
) -> Float[np.ndarray, "n count"]:
    """Interpolation weights (N, count) at places (N,) between 0, 1, ..., constant beyond.

    Linear, or the cubic of Catmull and Rom.
    """
    lower = np.floor(place).astype(int)
    t = (place - lower)[:, None]
    if cubic:
        near = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
        taps, offsets = 0.5 * np.concatenate(near, axis=1), (-1, 0, 1, 2)
    else:
        taps, offsets = np.concatenate([1 - t, t], axis=1), (0, 1)
    weights = np.zeros((len(place), count), np.float32)
    for tap, offset in zip(taps.T, offsets, strict=True):
        np.add.at(weights, (np.arange(len(place)), np.clip(lower + offset, 0, count - 1)), tap)
    return weights


def above(
    levels: Float[np.ndarray, "bx by bz"], weights: list[Float[np.ndarray, "_ _"]], threshold: float
) -> Bool[np.ndarray, "nx ny nz"]:
    """Where levels (BX, BY, BZ), interpolated by the weights of each axis, exceed a threshold."""
    return np.concatenate([slab > threshold for slab in interpolated(levels, weights)])


def interpolated(
    levels: Float[np.ndarray, "bx by bz"], weights: list[Float[np.ndarray, "_ _"]]
) -> Iterator[Float[np.ndarray, "n ny nz"]]:
    """Levels (BX, BY, BZ) at the places of the weights of each axis, a slab along x at a time."""
    along_x, along_y, along_z = weights
    slab = max(1, SLAB_VOXELS // (len(along_y) * len(along_z)))
    for start in range(0, len(along_x), slab):
        layers = along_x[start : start + slab] @ levels.reshape(len(levels), -1)
        yield along_y @ layers.reshape(-1, *levels.shape[1:]) @ along_z.T
