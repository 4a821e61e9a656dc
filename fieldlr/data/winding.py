"""Defects of a mesh, the orientation of its bodies, and the inside of a surface with holes.

The inside is where the generalised winding number (Jacobson et al. 2013, the signed solid angle
that the surface fills, over 4 pi) is above one half; it equals the mean over all directions of the
signed crossings of a ray, which is what is taken along six of them where libigl is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from fieldlr.data.grids import at_faces
from fieldlr.data.volume import Grid, Shape
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.triangles import (
    TriangleMesh,
    column_crossings,
    connected_parts,
    winding_slabs,
)

_BLOCK = 4
_CHUNK_POINTS = 2**20
_VIEW_PIXELS, _VIEW_SAMPLES = 256, 2**22

Faces = Int[np.ndarray, "f 3"]
# Of a surface's vertices and faces, at points.
WindingNumber = Callable[
    [Float[np.ndarray, "v 3"], Faces, Float[np.ndarray, "m 3"]], Float[np.ndarray, " m"]
]


@dataclass(frozen=True)
class Topology:
    """How the faces of a mesh hang together. `bodies` (F,) numbers the connected parts."""

    bodies: Int[np.ndarray, " f"]
    num_bodies: int
    num_holes: int
    num_boundary_edges: int
    num_crowded_edges: int  # with three faces or more
    num_opposed_edges: int  # with two faces that disagree about the outside
    closed: bool  # every edge is walked as often one way as the other: windings are whole numbers


def topology(faces: Faces) -> Topology:
    """Counts over the edges of faces (F, 3)."""
    face, low, high, direction, first = _sorted_edges(faces)
    count = np.diff(np.append(first, len(face)))
    balance = np.add.reduceat(direction, first)
    lonely = first[count == 1]
    bodies = connected_parts(len(faces), *_neighbours(face, first))
    corners, ends = np.unique(np.stack([low[lonely], high[lonely]]), return_inverse=True)
    loops = connected_parts(len(corners), *ends.reshape(2, -1))
    return Topology(
        bodies,
        int(bodies.max()) + 1,
        int(loops.max(initial=-1)) + 1,
        len(lonely),
        int((count > 2).sum()),
        int(((count == 2) & (balance != 0)).sum()),
        bool((balance == 0).all()),
    )


def face_one_way(faces: Faces) -> Faces:
    """faces (F, 3), some turned, so that neighbours across an edge of two faces agree.

    Each face has two sides, and an edge joins the sides that agree: the connected parts of that
    graph come in mirrored pairs, of which one is taken. A one-sided surface stays as it is.
    """
    face, _, _, direction, first = _sorted_edges(faces)
    pair = first[np.diff(np.append(first, len(face))) == 2]
    one, other = face[pair], face[pair + 1]
    opposed = direction[pair] == direction[pair + 1]
    n = len(faces)
    side = connected_parts(
        2 * n,
        np.concatenate([one, one + n]),
        np.concatenate([np.where(opposed, other + n, other), np.where(opposed, other, other + n)]),
    )
    return np.where((side[:n] > side[n:])[:, None], faces[:, ::-1], faces)


def face_outward(mesh: TriangleMesh, bodies: Int[np.ndarray, " f"]) -> tuple[TriangleMesh, int]:
    """(mesh, how many bodies were turned): what is seen from outside shows its outer side.

    Along the three axes, the first and the last face of every column vote for their body. A body
    that nobody sees (the wall of a cavity) does as most of the others do.
    """
    longest = np.ptp(mesh.vertices, axis=0).max()
    box = Aabb.around(mesh.vertices, 1e-3 * longest)
    pixels = min(_VIEW_PIXELS, (_VIEW_SAMPLES / layers(mesh)) ** 0.5)
    nx, ny, nz = (max(1, round(pixels * s / box.longest_edge)) for s in box.size)
    votes = np.zeros(bodies.max() + 1)
    for axis in range(3):
        votes += _outer_faces(*_turned(mesh, box, (nx, ny, nz), axis), bodies)
    turned = np.where(votes == 0, votes.sum() < 0, votes < 0)
    faces = np.where(turned[bodies][:, None], mesh.faces[:, ::-1], mesh.faces)
    return replace(mesh, faces=faces), int(turned.sum())


def layers(mesh: TriangleMesh) -> float:
    """How often the triangles would cover a square as wide as the mesh, seen along an axis.

    Along the axis where that is most: n^2 times it is what n voxels along the longest edge cost.
    """
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    areas = 0.5 * np.abs(np.cross(b - a, c - a)).sum(0)
    return float(areas.max() / np.ptp(mesh.vertices, axis=0).max() ** 2)


def crossed_blocks(
    mesh: TriangleMesh, aabb: Aabb, shape: Shape, block: int
) -> Bool[np.ndarray, "bx by bz"]:
    """Cubes of `block` voxels with a voxel whose step to a neighbour crosses the surface."""
    crossed = np.zeros([-(-n // block) for n in shape], bool)
    for axis in range(3):
        mesh_, aabb_, shape_ = _turned(mesh, aabb, shape, axis)
        view = np.moveaxis(crossed, (axis, (axis + 1) % 3, (axis + 2) % 3), (0, 1, 2))
        for samples, height in column_crossings(mesh_, aabb_, shape_, (0, shape_[0])):
            for level in (np.floor(height), np.ceil(height)):
                level = np.clip(level, 0, shape_[2] - 1).astype(np.int64)
                view[samples.columns // block, samples.rows // block, level // block] = True
    return crossed


def open_solid(mesh: TriangleMesh, aabb: Aabb, shape: Shape, winding_number: WindingNumber) -> Grid:
    """Booleans `shape`: where the winding number of an open surface is above one half.

    It jumps by one at the surface and is smooth elsewhere. So a cube of voxels that no face
    crosses, among cubes of its kind, takes the value at its centre; elsewhere the number less the
    signed crossings below, which is smooth along a column, is evaluated at every fourth voxel.
    """
    blocks = tuple(-(-n // _BLOCK) for n in shape)
    size = np.array(aabb.size) / shape
    padded = (blocks[0] * _BLOCK, blocks[1] * _BLOCK, blocks[2] * _BLOCK + 1)
    box = Aabb(aabb.minimum, tuple((aabb.minimum + size * padded).tolist()))

    def winding(index: np.ndarray) -> np.ndarray:
        number = np.empty(len(index), np.float32)
        for start in range(0, len(index), _CHUNK_POINTS):
            part = slice(start, start + _CHUNK_POINTS)
            points = aabb.minimum + (index[part] + 0.5) * size
            number[part] = winding_number(mesh.vertices, mesh.faces, points)
        return number

    centers = np.indices(blocks).reshape(3, -1).T * _BLOCK + 0.5 * (_BLOCK - 1)
    coarse = winding(centers).reshape(blocks) > 0.5
    unclear = crossed_blocks(mesh, box, padded, _BLOCK)[..., : blocks[2]] | at_faces(coarse)
    columns = unclear.repeat(_BLOCK, 0).repeat(_BLOCK, 1)
    knots = np.zeros((*padded[:2], blocks[2] + 1), bool)
    knots[..., :-1] |= columns
    knots[..., 1:] |= columns
    crossings = [below.astype(np.int16) for _, below, _ in winding_slabs(mesh, box, padded)]
    crossings = np.concatenate(crossings)
    smooth = np.zeros(knots.shape, np.float32)
    index = np.argwhere(knots) * (1, 1, _BLOCK)
    smooth[knots] = winding(index) - crossings[tuple(index.T)]
    grid = coarse.repeat(_BLOCK, 0).repeat(_BLOCK, 1).repeat(_BLOCK, 2)
    for step in range(_BLOCK):
        between = smooth[..., :-1] + (smooth[..., 1:] - smooth[..., :-1]) * (step / _BLOCK)
        full = between + crossings[..., step:-1:_BLOCK] > 0.5
        np.copyto(grid[..., step::_BLOCK], full, where=columns)
    return grid[: shape[0], : shape[1], : shape[2]].copy()


def voted_solid(mesh: TriangleMesh, aabb: Aabb, shape: Shape) -> Grid:
    """As `open_solid`, by the mean of the signed crossings of six rays: numpy alone."""
    total = np.zeros(shape, np.int16)
    for axis in range(3):
        view = np.moveaxis(total, (axis, (axis + 1) % 3, (axis + 2) % 3), (0, 1, 2))
        for slab, from_below, from_above in winding_slabs(*_turned(mesh, aabb, shape, axis)):
            view[slab] += (from_below + from_above).astype(np.int16)
    return total > 3


def _turned(
    mesh: TriangleMesh, aabb: Aabb, shape: Shape, axis: int
) -> tuple[TriangleMesh, Aabb, Shape]:
    """The same with `axis` in the place of x: a rotation, so that what faces out still does."""
    order = [axis, (axis + 1) % 3, (axis + 2) % 3]
    box = Aabb(vector(aabb.minimum[i] for i in order), vector(aabb.maximum[i] for i in order))
    nx, ny, nz = (shape[i] for i in order)
    return replace(mesh, vertices=mesh.vertices[:, order]), box, (nx, ny, nz)


def _outer_faces(mesh: TriangleMesh, aabb: Aabb, shape: Shape, bodies: np.ndarray) -> np.ndarray:
    """Votes (num bodies,): outermost faces of the columns along z, +1 turned right, -1 wrong."""
    crossings = column_crossings(mesh, aabb, shape, (0, shape[0]))
    found = [(samples, height) for samples, height in crossings if len(height)]
    if not found:
        return np.zeros(bodies.max() + 1)
    height = np.concatenate([height for _, height in found])
    column = np.concatenate([s.columns * shape[1] + s.rows for s, _ in found])
    vote = np.concatenate([s.signs for s, _ in found])
    body = bodies[np.concatenate([s.faces for s, _ in found])]
    order = np.lexsort([height, column])
    change = np.flatnonzero(np.diff(column[order]))
    lowest, highest = order[np.append(0, change + 1)], order[np.append(change, -1)]
    outer = np.concatenate([lowest, highest])
    weights = np.concatenate([-vote[lowest], vote[highest]])
    return np.bincount(body[outer], weights, minlength=bodies.max() + 1)


def _sorted_edges(
    faces: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(face, low, high, direction, first): half edges by edge; first: where each edge begins."""
    start, stop = faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1)
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    key = low * (faces.max() + 1) + high
    order = np.argsort(key, kind="stable")
    first = np.append(0, np.flatnonzero(np.diff(key[order])) + 1)
    direction = np.where(start < stop, 1, -1)
    return order // 3, low[order], high[order], direction[order], first


def _neighbours(face: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of faces that follow each other in the list of one edge."""
    same = np.ones(len(face), bool)
    same[first] = False
    later = np.flatnonzero(same)
    return face[later - 1], face[later]
