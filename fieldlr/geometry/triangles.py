"""Triangle meshes as plain arrays, and which columns of a grid their triangles cover.

One scan conversion serves solids and pictures. A sample point lies on exactly one side of every
edge, whichever of its triangles asks: the crossings of a closed mesh are therefore exact, and the
winding number along a column is a running sum of signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from fieldlr.geometry.boxes import Aabb, Vector
from fieldlr.geometry.texture import Texture

_BLOCK_FACES = 2**16
_CHUNK_SAMPLES = 2**20
_SLAB_VOXELS = 2**24


@dataclass(frozen=True)
class TriangleMesh:
    """vertices (V, 3) float64 in world units, faces (F, 3) int64 counter-clockwise from outside."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    colors: UInt8[np.ndarray, "v 3"] | None = None  # sRGB
    texture: Texture | None = None
    up: Vector = (0.0, 0.0, 1.0)  # of unit length; for formats that say what is up

    def __repr__(self) -> str:
        return f"TriangleMesh of {len(self.vertices)} vertices and {len(self.faces)} faces"

    @property
    def face_normals(self) -> Float[np.ndarray, "f 3"]:
        """Normals (F, 3), as long as twice the area of their face."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        return np.cross(b - a, c - a)

    @property
    def vertex_normals(self) -> Float[np.ndarray, "v 3"]:
        """Unit normals (V, 3): the area-weighted mean of the faces around each vertex."""
        corner, size = self.faces.ravel(), len(self.vertices)
        sums = [np.bincount(corner, np.repeat(n, 3), minlength=size) for n in self.face_normals.T]
        normals = unit(np.stack(sums, 1))
        # A vertex of slivers alone has no area around it; any unit vector will do.
        return np.where(normals.any(1, keepdims=True), normals, (0.0, 0.0, 1.0))

    @property
    def is_watertight(self) -> bool:
        """Whether edges are used equally often in both directions: no border, no flipped face."""
        if not len(self.faces):
            return False
        starts, stops = self.faces.ravel(), np.roll(self.faces, -1, axis=1).ravel()
        count = len(self.vertices)
        return bool(
            np.array_equal(np.sort(starts * count + stops), np.sort(stops * count + starts))
            and (starts != stops).all()
        )

    @property
    def euler_number(self) -> int:
        """Vertices - edges + faces: 2 for each body without handles. Only used vertices count."""
        ends = np.stack([self.faces, np.roll(self.faces, -1, axis=1)], -1).reshape(-1, 2)
        edges = np.sort(ends, 1)
        num_edges = len(np.unique(edges[:, 0] * max(len(self.vertices), 1) + edges[:, 1]))
        return len(np.unique(self.faces)) - num_edges + len(self.faces)


@dataclass(frozen=True)
class Samples:
    """Where triangles cover the points (column, row) of a unit grid.

    faces, columns, rows (M,) int64; weights (M, 3) barycentric, of the face's own vertices;
    signs (M,) int64: +1 where the triangle is counter-clockwise seen from above, else -1.
    """

    faces: Int[np.ndarray, " m"]
    columns: Int[np.ndarray, " m"]
    rows: Int[np.ndarray, " m"]
    weights: Float[np.ndarray, "m 3"]
    signs: Int[np.ndarray, " m"]


def unit(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Vectors (..., 3) at length 1; a zero vector stays as it is."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-300)


def connected_parts(
    count: int, one: Int[np.ndarray, " e"], other: Int[np.ndarray, " e"]
) -> Int[np.ndarray, " {count}"]:
    """Labels (count,) of the connected parts of a graph with edges one - other, both (E,)."""
    # Imported here: it takes a third of a second, which most commands can do without.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(one), bool), (one, other)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def rasterise(
    points: Float[np.ndarray, "v 2"],
    faces: Int[np.ndarray, "f 3"],
    columns: tuple[int, int],
    num_rows: int,
) -> Iterator[Samples]:
    """The samples of triangles with corners `points` (V, 2), in pieces of bounded size.

    Samples stand at whole numbers: columns first <= i < last of `columns`, rows 0 <= j < num_rows.
    """
    first, last = columns
    for start in range(0, len(faces), _BLOCK_FACES):
        corners = points[faces[start : start + _BLOCK_FACES]]
        low, high = np.ceil(corners.min(1)), np.ceil(corners.max(1))
        spans = np.minimum(high, (last, num_rows)) - np.maximum(low, (first, 0))
        chosen = np.flatnonzero((spans > 0).all(1))
        cost = np.cumsum(spans[chosen].prod(1))
        total = cost[-1] if len(cost) else 0
        cuts = np.searchsorted(cost, np.arange(_CHUNK_SAMPLES, total, _CHUNK_SAMPLES))
        for part in np.split(chosen, np.unique(cuts)):
            if len(part):
                yield _scan(corners[part], part + start, columns, num_rows)


def _scan(
    corners: np.ndarray, faces: np.ndarray, columns: tuple[int, int], num_rows: int
) -> Samples:
    """Samples of triangles `corners` (F, 3, 2): first along columns, then along rows.

    With the corners A, B, C in the order of their columns, a column meets the long edge AC and one
    of AB and BC. An edge is always evaluated from its left end, so that both of its triangles
    find the same number; a row belongs to the triangle from ceil(lower) to ceil(upper) - 1.
    """
    order = np.argsort(corners[:, :, 0], axis=1, kind="stable")
    corners = np.take_along_axis(corners, order[:, :, None], 1)
    bounds = np.clip(np.ceil(corners[:, :, 0]), *columns).astype(np.int64)
    face, column = _expand(bounds[:, 0], bounds[:, 2])
    a, b, c = corners[face].transpose(1, 2, 0)
    on_right = column >= bounds[face, 1]
    left, right = np.where(on_right, b, a), np.where(on_right, c, b)
    along_ac = (column - a[0]) / (c[0] - a[0])
    along_side = (column - left[0]) / (right[0] - left[0])
    row_ac = a[1] + along_ac * (c[1] - a[1])
    row_side = left[1] + along_side * (right[1] - left[1])

    ends = np.clip(np.ceil(np.stack([row_ac, row_side])), 0, num_rows).astype(np.int64)
    line, row = _expand(ends.min(0), ends.max(0))
    share = ((row - row_ac[line]) / (row_side - row_ac)[line])[:, None]
    zero = np.zeros_like(along_ac)
    ac = np.stack([1 - along_ac, zero, along_ac], 1)
    side = np.stack([1 - along_side, along_side, zero], 1)
    side[on_right] = np.roll(side[on_right], 1, axis=1)
    face, column = face[line], column[line]
    weights = np.empty((len(line), 3))
    np.put_along_axis(weights, order[face], (1 - share) * ac[line] + share * side[line], 1)
    even = (order[:, 1] - order[:, 0]) % 3 == 1
    counter_clockwise = even[face] == (ends[0] > ends[1])[line]
    return Samples(faces[face], column, row, weights, np.where(counter_clockwise, 1, -1))


def _expand(starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(owner, value) of all whole numbers start <= value < stop of every owner."""
    counts = np.maximum(stops - starts, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, starts[owner] + offset


def column_crossings(
    mesh: TriangleMesh, aabb: Aabb, shape: tuple[int, int, int], columns: tuple[int, int]
) -> Iterator[tuple[Samples, Float[np.ndarray, " m"]]]:
    """(samples, height): where the lines through voxel centres along z cross the surface.

    height (M,) is in voxels, a whole number k at the centre of voxel k of the grid `shape` over
    `aabb`; `columns` is the range of x wanted.
    """
    size = np.array(aabb.size) / shape
    position = (mesh.vertices - aabb.minimum) / size - 0.5
    for samples in rasterise(position[:, :2], mesh.faces, columns, shape[1]):
        heights = position[mesh.faces[samples.faces], 2]
        yield samples, (heights * samples.weights).sum(1)


def winding_slabs(
    mesh: TriangleMesh, aabb: Aabb, shape: tuple[int, int, int]
) -> Iterator[tuple[slice, Int[np.ndarray, "x ny nz"], Int[np.ndarray, "x ny nz"]]]:
    """(slab of x, from_below, from_above): signed crossings of the rays up and down from a voxel.

    Both int32 (nx of the slab, ny, nz). In a closed mesh they are the winding number, equal; their
    lowest bit is the parity of the crossings, whatever the orientation of the triangles.
    """
    nx, ny, nz = shape
    thickness = max(1, _SLAB_VOXELS // (ny * nz))
    for start in range(0, nx, thickness):
        stop = min(start + thickness, nx)
        jumps = np.zeros((stop - start, ny, nz + 1), np.int32)
        for samples, height in column_crossings(mesh, aabb, shape, (start, stop)):
            level = np.clip(np.ceil(height), 0, nz).astype(np.int64)
            np.add.at(jumps, (samples.columns - start, samples.rows, level), -samples.signs)
        winding = np.cumsum(jumps, axis=2, dtype=np.int32)
        yield slice(start, stop), winding[..., :-1], winding[..., :-1] - winding[..., -1:]


def voxelise(
    mesh: TriangleMesh, aabb: Aabb, shape: tuple[int, int, int]
) -> Bool[np.ndarray, "nx ny nz"]:
    """Booleans `shape`: the voxel centres inside a closed mesh; overlapping bodies unite."""
    grid = np.zeros(shape, bool)
    for slab, from_below, _ in winding_slabs(mesh, aabb, shape):
        grid[slab] = from_below > 0
    return grid
