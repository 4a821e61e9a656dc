"""Procedural paints: functions of points (N, 3) and normals (N, 3) that give linear rgb (N, 3)."""

import numpy as np


def rgb(red, green, blue):
    """Linear rgb of an sRGB colour written in 0..255."""
    return (np.array([red, green, blue]) / 255.0) ** 2.2


def lumps(points, scale, seed=0):
    """Smooth noise (N,) in about -1..1: sines in random directions."""
    random = np.random.default_rng(seed)
    waves = random.normal(size=(3, 10)) * scale
    return np.sin(points @ waves + random.uniform(0, 6.28, 10)).mean(1) * 2.2


def random_of(*cells):
    """A fixed pseudo-random number in 0..1 for each cell, from its integer coordinates."""
    weights = (12.9898, 78.233, 37.719)
    value = sum(w * c for w, c in zip(weights, cells, strict=False))
    return np.abs(np.sin(value) * 43758.5453) % 1.0


def plain(color, grain=0.08, scale=14.0):
    """One colour, slightly uneven."""

    def paint(points, normals):
        return color * (1 + grain * lumps(points, scale))[:, None]

    return paint


def by_height(stops, colors):
    """Colours that change with z."""

    def paint(points, normals):
        z = points[:, 2] + 0.02 * lumps(points, 9.0)
        return np.stack([np.interp(z, stops, np.array(colors)[:, i]) for i in range(3)], 1)

    return paint


def bricks(color, mortar, width, height, around=None):
    """Bricks on walls, or around a vertical axis (x, y, radius)."""

    def paint(points, normals):
        if around is None:
            flat = np.abs(normals[:, 0]) > np.abs(normals[:, 1])
            along = np.where(flat, points[:, 1], points[:, 0])
        else:
            angle = np.arctan2(points[:, 1] - around[1], points[:, 0] - around[0])
            along = angle * around[2]
        row = np.floor(points[:, 2] / height)
        across = along / width + 0.5 * (row % 2)
        column = np.floor(across)
        edge = np.minimum(across - column, 1 - across + column) * width
        joint = np.minimum(edge, height * np.minimum(z := points[:, 2] / height - row, 1 - z))
        shade = 0.72 + 0.5 * random_of(row, column)
        return np.where((joint < 0.07 * height)[:, None], mortar, color * shade[:, None])

    return paint


def tiles(first, second, size):
    """A chequered floor with a diamond in every second tile."""

    def paint(points, normals):
        cell = np.floor(points[:, :2] / size)
        inside = points[:, :2] / size - cell - 0.5
        odd = (cell.sum(1) % 2).astype(bool)
        color = np.where(odd[:, None], first, second)
        diamond = np.abs(inside).sum(1) < 0.28
        color = np.where(diamond[:, None], np.where(odd[:, None], second, first), color)
        color = color * (0.85 + 0.3 * random_of(cell[:, 0], cell[:, 1]))[:, None]
        seam = np.abs(inside).max(1) > 0.48
        return np.where(seam[:, None], 0.35 * color, color) * (1 + 0.06 * lumps(points, 5))[:, None]

    return paint


def wood(color, axis=0, scale=1.0):
    """Grain along an axis."""

    def paint(points, normals):
        stretched = points * np.where(np.arange(3) == axis, 1.5, 14.0) * scale
        return color * (1 + 0.28 * lumps(stretched, 1.0, axis))[:, None]

    return paint


def stripes(first, second, width, axis=0):
    """Bands across an axis."""

    def paint(points, normals):
        odd = np.floor(points[:, axis] / width) % 2 == 0
        return np.where(odd[:, None], first, second) * (1 + 0.05 * lumps(points, 7))[:, None]

    return paint


def glaze(base, accent, count, twist, center=(0.0, 0.0)):
    """Twisted stripes around a vertical axis."""

    def paint(points, normals):
        angle = np.arctan2(points[:, 1] - center[1], points[:, 0] - center[0])
        wave = np.cos(count * (angle + twist * points[:, 2]))
        mix = np.clip(2 * wave + 0.5, 0, 1)[:, None]
        return base * mix + accent * (1 - mix)

    return paint
