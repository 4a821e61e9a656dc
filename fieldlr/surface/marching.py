"""Marching cubes, slab by slab, welded into one mesh."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float, Int

from fieldlr.surface.refinement import Slab

Vertices = Float[np.ndarray, "v 3"]
Faces = Int[np.ndarray, "f 3"]


def march(slabs: Iterable[Slab]) -> tuple[Vertices, Faces, float]:
    """Vertices (V, 3) in node units, faces (F, 3), and the seconds spent outside `slabs`.

    Lorensen and Cline 1987, by PyMCubes where it is installed (it has no wheels for Python 3.13
    and newer), else by scikit-image. A slab repeats the last layer of the previous one; vertices in
    that layer are matched by their edge, which has at most one.
    """
    vertices, faces, seconds = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0.0
    total, seam_edges, seam_vertices = 0, np.empty(0, np.int64), np.empty(0, np.int64)
    for start, values in slabs:
        began = time.perf_counter()
        points, triangles = _march_slab(values)
        repeated = points[:, 0] == 0 if start else np.zeros(len(points), bool)
        numbers = np.empty(len(points), np.int64)
        numbers[~repeated] = total + np.arange(len(points) - repeated.sum())
        numbers[repeated] = seam_vertices[
            np.searchsorted(seam_edges, _edges(points[repeated], values.shape))
        ]
        total += len(points) - int(repeated.sum())
        last = points[:, 0] == len(values) - 1
        seam_edges, seam_vertices = _edges(points[last], values.shape), numbers[last]
        order = np.argsort(seam_edges)
        seam_edges, seam_vertices = seam_edges[order], seam_vertices[order]
        vertices.append(points[~repeated] + (start, 0, 0))
        faces.append(numbers[triangles])
        seconds += time.perf_counter() - began
    return np.concatenate(vertices), np.concatenate(faces), seconds


def _march_slab(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not (values > 0).any():
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    return cut(values)


def by_pymcubes(values: Float[np.ndarray, "nx ny nz"]) -> tuple[Vertices, Faces]:
    """Vertices (V, 3) and faces (F, 3) of the surface `values == 0`, normals towards negative."""
    import mcubes

    points, triangles = mcubes.marching_cubes(values, 0.0)
    return points, triangles.astype(np.int64)


def by_scikit_image(values: Float[np.ndarray, "nx ny nz"]) -> tuple[Vertices, Faces]:
    """The same; ambiguous cells may be triangulated differently.

    Its float32 vertices may coincide with a node and then belong to no single edge. So it is
    called on the signs, which puts vertices at edge midpoints, and these are moved in float64.
    """
    from skimage.measure import marching_cubes

    signs = np.where(values > 0, np.float32(1.0), np.float32(-1.0))
    midpoints, triangles, _, _ = marching_cubes(
        signs, 0.0, method="lorensen", gradient_direction="ascent"
    )
    low, high = np.floor(midpoints).astype(np.int64), np.ceil(midpoints).astype(np.int64)
    start, stop = (values[tuple(end.T)].astype(np.float64) for end in (low, high))
    points = low + (high - low) * (start / (start - stop))[:, None]
    return points, triangles.astype(np.int64)


# The installed implementation.
cut = by_pymcubes if find_spec("mcubes") else by_scikit_image


def _edges(points: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A unique index of the edge that contains each of the points (M, 3) of a layer."""
    corner = np.floor(points[:, 1:]).astype(np.int64)
    along_y = points[:, 1] != corner[:, 0]
    return (corner[:, 0] * shape[2] + corner[:, 1]) * 2 + along_y
