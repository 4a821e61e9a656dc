"""A texture atlas for a mesh: charts along the six axes, packed into a square.

Neighbouring faces whose normals are closest to the same axis, among +-x, +-y and +-z, form a chart,
projected along that axis. No face is flipped, and stretch is bounded by the slant of faces. Where a
chart would overlap itself, the faces behind become charts of their own.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from fieldlr.errors import FieldlrError
from fieldlr.geometry.triangles import TriangleMesh, connected_parts, rasterise, unit

GUTTER = 2  # empty texels around a chart
MIN_COSINE = 0.2  # between the normal of a face and its projection axis
SMOOTHING = 8  # rounds in which faces may adopt their neighbours' axis
LAYERS = 8  # rounds in which overlapped faces are split off a chart
PACKINGS = 24  # bisection steps of the scale


def lay_out(mesh: TriangleMesh, size: int) -> Float[np.ndarray, "f 3 2"]:
    """Texture coordinates (F, 3, 2), in texels, of the corners of every face.

    The texture has `size` x `size` texels; every chart is surrounded by GUTTER empty texels.
    """
    pairs = _neighbours(mesh.faces)
    axes = _axes(mesh, pairs)
    layers = np.zeros(len(axes), np.int64)
    corners = np.zeros((0, 3, 2), np.float32)
    for _ in range(LAYERS):
        charts = _charts(axes + 6 * layers, pairs)
        flat, depths = _projected(mesh, axes)
        corners, scale = _packed(flat, charts, size)
        overlapped = _overlapped(corners, scale * depths, size)
        if not len(overlapped):
            break
        layers[overlapped] += 1
    return corners


def _neighbours(faces: np.ndarray) -> np.ndarray:
    """Pairs (E, 2) of faces that share an edge."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], -1).reshape(-1, 2), 1)
    key = edges[:, 0] * (faces.max(initial=0) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    return np.stack([order[same], order[same + 1]], 1) // 3


def _axes(mesh: TriangleMesh, pairs: np.ndarray) -> np.ndarray:
    """The axis (F,) of every face, 0 to 5 for +x, -x, +y ..., smoothed over neighbours."""
    normals = unit(mesh.face_normals)
    cosines = np.stack([normals, -normals], -1).reshape(-1, 6)
    axes = cosines.argmax(1)
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    for _ in range(SMOOTHING):
        votes = np.zeros((len(axes), 6))
        np.add.at(votes, (ends[:, 0], axes[ends[:, 1]]), 1.0)
        votes[np.arange(len(axes)), axes] += 1.5
        # A face must not be seen edge-on along its axis.
        axes = np.where(cosines > MIN_COSINE, votes, -1.0 + cosines).argmax(1)
    return axes


def _charts(labels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The chart index (F,) of every face."""
    joined = pairs[labels[pairs[:, 0]] == labels[pairs[:, 1]]]
    return connected_parts(len(labels), joined[:, 0], joined[:, 1])


def _projected(mesh: TriangleMesh, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(corners (F, 3, 2) projected along each face's axis, their heights (F, 3) along it)."""
    axis, sign = axes // 2, 1.0 - 2.0 * (axes % 2)
    corners = mesh.vertices[mesh.faces]
    row = np.arange(len(axes))[:, None]
    across = [corners[row, np.arange(3), (axis[:, None] + k) % 3] for k in (0, 1, 2)]
    flat = np.stack([across[1] * sign[:, None], across[2]], -1)
    return flat, across[0] * sign[:, None]


def _packed(flat: np.ndarray, charts: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """(corners (F, 3, 2) in texels, texels per world unit), at the largest scale that fits."""
    count = charts.max() + 1
    low, high = np.full((2, count, 2), np.inf)
    np.minimum.at(low, charts, flat.min(1))
    np.minimum.at(high, charts, -flat.max(1))
    extents = -high - low
    most = size / max(np.sqrt(extents.prod(1).sum()), 1e-30)
    least = 0.0
    places = np.zeros((count, 2))
    for _ in range(PACKINGS):
        scale = 0.5 * (least + most)
        found = _shelves(np.ceil(scale * extents).astype(np.int64) + 2 * GUTTER, size)
        if found is None:
            most = scale
        else:
            least, places = scale, found
    if least == 0.0:
        raise FieldlrError(
            f"a texture of {size} texels is too small for the {count:,} charts of this mesh. Use a "
            "larger `texture`, or fewer `faces`."
        )
    return (flat - low[charts][:, None]) * least + (places[charts] + GUTTER)[:, None], least


def _shelves(sizes: Int[np.ndarray, "c 2"], size: int) -> np.ndarray | None:
    """Shelf packing: corners (C, 2) of rectangles in rows, tallest first; None if too large."""
    order = np.lexsort((-sizes[:, 0], -sizes[:, 1]))
    places = np.zeros(sizes.shape)
    x = y = height = 0
    for chart, (wide, high) in zip(order.tolist(), sizes[order].tolist(), strict=True):
        if x + wide > size:
            x, y, height = 0, y + height, 0
        if wide > size or y + high > size:
            return None
        places[chart] = x, y
        x, height = x + wide, max(height, high)
    return places


def _overlapped(corners: np.ndarray, depths: np.ndarray, size: int) -> np.ndarray:
    """Faces that lie under another one, by heights (F, 3) in texels."""
    hit, place, height = texels(corners, size, depths)
    highest = np.full(size * size, -np.inf)
    np.maximum.at(highest, place, height)
    # Faces that share an edge may share a texel: a small height difference is no overlap.
    return np.unique(hit[highest[place] - height > 2.0 / MIN_COSINE])


def texels(
    corners: Float[np.ndarray, "f 3 2"], size: int, values: Float[np.ndarray, "f 3 *c"]
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"], Float[np.ndarray, "m ..."]]:
    """Rasterises faces: (faces (M,), row-major texels (M,), interpolated values (M, ...)).

    `values` (F, 3, ...) are given at the corners.
    """
    faces = np.arange(3 * len(corners)).reshape(-1, 3)
    points = corners.reshape(-1, 2) - 0.5
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), values[:0, 0])]
    for samples in rasterise(points, faces, (0, size), size):
        shares = samples.weights.reshape(*samples.weights.shape, *[1] * (values.ndim - 2))
        there = (values[samples.faces] * shares).sum(1)
        found.append((samples.faces, samples.rows * size + samples.columns, there))
    hit, place, there = (np.concatenate(column) for column in zip(*found, strict=True))
    return hit, place, there
