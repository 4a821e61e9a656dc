"""Grids of booleans."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool


def mixed(grid: Bool[np.ndarray, "nx ny nz"], voxels: int) -> Bool[np.ndarray, "nx ny nz"]:
    """Where a cube of 2 voxels + 1 a side around a voxel holds both kinds."""
    full, empty = grid.copy(), ~grid
    for kind in (full, empty):
        for axis in range(3):
            lines = np.moveaxis(kind, axis, 0)
            for _ in range(voxels):
                before = lines.copy()
                lines[1:] |= before[:-1]
                lines[:-1] |= before[1:]
    return full & empty


def at_faces(grid: Bool[np.ndarray, "nx ny nz"]) -> Bool[np.ndarray, "nx ny nz"]:
    """Where one of the six neighbours is of the other kind."""
    found = np.zeros_like(grid)
    for axis in range(3):
        a, b = np.moveaxis(grid, axis, 0), np.moveaxis(found, axis, 0)
        b[1:] |= a[1:] != a[:-1]
        b[:-1] |= a[1:] != a[:-1]
    return found
