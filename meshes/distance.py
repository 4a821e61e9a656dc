"""Signed distances to simple solids, negative inside; positions are arrays of x, y and z."""

from itertools import pairwise

import numpy as np


def grid(low, high, cell):
    """(x, y, z), float32 arrays that broadcast to a grid of cubic cells over the box low..high."""
    axes = [np.arange(a, b + cell, cell, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    return np.meshgrid(*axes, indexing="ij", sparse=True)


def polar(x, y):
    """(radius, angle) in the plane."""
    return np.hypot(x, y), np.arctan2(y, x)


def slab(z, low, high):
    """The space between two planes."""
    return np.maximum(low - z, z - high)


def ring(r, z, radius, thickness):
    """A torus about the z axis, in polar coordinates."""
    return np.hypot(r - radius, z) - thickness


def tube(x, y, z, path, thickness):
    """A round wire along the points of a path (N, 3)."""
    nearest = np.inf
    for a, b in pairwise(path):
        d = b - a
        t = ((x - a[0]) * d[0] + (y - a[1]) * d[1] + (z - a[2]) * d[2]) / (d @ d)
        t = np.clip(t, 0, 1).astype(np.float32)
        square = sum((p - a[i] - t * d[i]) ** 2 for i, p in enumerate((x, y, z)))
        nearest = np.minimum(nearest, square)
    return np.sqrt(nearest) - thickness


def repeat(angle, count):
    """The angle from the middle of the nearest of `count` equal sectors."""
    sector = 2 * np.pi / count
    return angle - sector * np.round(angle / sector)


def join(a, b, blend):
    """The union with a fillet of radius about `blend` (Quilez, polynomial smooth minimum)."""
    h = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - 0.25 * blend * h * h


def union(*solids):
    result = solids[0]
    for solid in solids[1:]:
        result = np.minimum(result, solid)
    return result


def cut(solid, *holes):
    """The solid without the holes."""
    return np.maximum(solid, -union(*holes))


def meet(*solids):
    """The intersection."""
    result = solids[0]
    for solid in solids[1:]:
        result = np.maximum(result, solid)
    return result
