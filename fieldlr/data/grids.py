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
