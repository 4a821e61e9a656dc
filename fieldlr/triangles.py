"""Triangle meshes as plain arrays, and which columns of a grid their triangles cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TriangleMesh:
    """vertices (V, 3) float64 in world units, faces (F, 3) int64 counter-clockwise from outside."""

    vertices: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None = None  # (V, 3) uint8, sRGB
