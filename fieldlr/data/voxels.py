"""From a surface to a solid: the voxel grid, what is inside, and what was repaired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fieldlr.data import winding
from fieldlr.data.volume import Grid, Shape
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.triangles import TriangleMesh, winding_slabs
from fieldlr.system import memory

RESOLUTION = 512
LOOSE_RESOLUTION = 256  # of a surface in pieces, whose winding number is slow to evaluate
# While a solid is made: booleans, and where a surface is open also the crossings of its columns.
BYTES_PER_VOXEL = {True: 1.2, False: 8.0}
MOST_SAMPLES = 2**25  # crossings of the surface by the lines through all voxels along an axis
PADDING = 2  # voxels between the surface and the border of the grid: a shape closes inside it


def grid_around(mesh: TriangleMesh, resolution: int) -> tuple[Aabb, Shape]:
    """(box, shape) of cubic voxels, `resolution` of them along the longest edge of the box."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    voxel = float((high - low).max()) / (resolution - 2 * PADDING)
    counts = np.ceil((high - low) / voxel - 1e-6).astype(int) + 2 * PADDING
    nx, ny, nz = np.minimum(counts, resolution).tolist()
    center, half = 0.5 * (low + high), 0.5 * voxel * np.array((nx, ny, nz))
    box = Aabb(vector((center - half).tolist()), vector((center + half).tolist()))
    return box, (nx, ny, nz)


def solid(
    mesh: TriangleMesh, resolution: int | None = None, most_bytes: int | None = None
) -> tuple[Grid, Aabb, TriangleMesh, tuple[str, ...]]:
    """(booleans, box, the mesh facing outward, notes).

    Without a resolution it is 512, or 256 if most triangles are loose.
    """
    notes = []
    edges = winding.topology(mesh.faces)
    if edges.num_opposed_edges:
        mesh = replace(mesh, faces=winding.face_one_way(mesh.faces))
        edges, before = winding.topology(mesh.faces), edges
        notes.append(_winding_note(before, edges))
    mesh, num_turned = winding.face_outward(mesh, edges.bodies)
    if num_turned:
        notes.append(f"{_count(num_turned, 'body')} of {edges.num_bodies} faced inward: turned.")
    if edges.num_bodies > 1:
        notes.append(f"The mesh has {_count(edges.num_bodies, 'body')}.")
    resolution, more = _affordable(mesh, edges, resolution)
    notes += more
    aabb, shape = grid_around(mesh, resolution)
    num_bytes = memory.BASE_BYTES + BYTES_PER_VOXEL[edges.closed] * np.prod(shape, dtype=float)
    memory.require(num_bytes, most_bytes, "Give a coarser `grid`.")
    if edges.closed:
        grid, overlap = _closed_solid(mesh, aabb, shape)
        if overlap:
            notes.append("Bodies overlap, or one lies in another: the solid is their union.")
    else:
        notes.append(_hole_note(edges))
        grid, note = _open_solid(mesh, aabb, shape)
        notes.append(note)
    if grid.sum() < 0.1 * _area(mesh) / (aabb.size[0] / shape[0]) ** 2:
        grid = winding.crossed_blocks(mesh, aabb, shape, 1)
        notes.append(
            "The surface encloses almost no volume (a sheet or triangle soup): it was given a "
            "thickness of two voxels."
        )
    return grid, aabb, mesh, tuple(notes)


def _affordable(
    mesh: TriangleMesh, edges: winding.Topology, asked: int | None
) -> tuple[int, list[str]]:
    """(voxels along the longest edge, notes): as requested, or as many as are affordable."""
    loose = edges.num_boundary_edges > len(mesh.faces)
    wanted = asked or (LOOSE_RESOLUTION if loose else RESOLUTION)
    most = max(16, int((MOST_SAMPLES / winding.layers(mesh)) ** 0.5))
    if asked is not None and asked > most:
        raise FieldlrError(
            f"Triangles that lie in more than a hundred layers would take hours at {asked} voxels. "
            f"Give `grid` {most}, or remove what is inside in an editor."
        )
    if wanted > most:
        return most, [f"Its triangles lie in very many layers: {most} voxels, the longest edge."]
    if loose and asked is None:
        return wanted, [f"Most triangles are loose: {wanted} voxels along the longest edge."]
    return wanted, []


def _closed_solid(mesh: TriangleMesh, aabb: Aabb, shape: Shape) -> tuple[np.ndarray, bool]:
    grid, overlap = np.empty(shape, bool), False
    for slab, number, _ in winding_slabs(mesh, aabb, shape):
        grid[slab] = number > 0
        overlap |= bool(number.max() > 1)
    return grid, overlap


def _open_solid(mesh: TriangleMesh, aabb: Aabb, shape: Shape) -> tuple[np.ndarray, str]:
    try:
        from igl import fast_winding_number
    except (ImportError, OSError):
        return winding.voted_solid(mesh, aabb, shape), (
            "Inside and outside were decided by ray voting, which may leave streaks behind "
            "holes; pip install 'fieldlr[mesh]' installs the winding number, which does not."
        )
    grid = winding.open_solid(
        mesh,
        aabb,
        shape,
        fast_winding_number,  # pyright: ignore[reportArgumentType] - it does give an array
    )
    return grid, "The holes were closed where the generalised winding number is one half."


def _area(mesh: TriangleMesh) -> float:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    return 0.5 * float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


def _winding_note(before: winding.Topology, after: winding.Topology) -> str:
    note = f"Neighbours disagreed about the outside at {_count(before.num_opposed_edges, 'edge')}"
    left = after.num_opposed_edges
    return note + (
        f": repaired, except at {left:,} (a one-sided surface)." if left else ": repaired."
    )


def _hole_note(edges: winding.Topology) -> str:
    faults = [
        (
            edges.num_holes,
            f"{_count(edges.num_holes, 'hole')} "
            f"({_count(edges.num_boundary_edges, 'boundary edge')})",
        ),
        (
            edges.num_crowded_edges,
            f"{_count(edges.num_crowded_edges, 'edge')} with three faces or more",
        ),
        (
            edges.num_opposed_edges,
            f"{_count(edges.num_opposed_edges, 'edge')} without an orientation",
        ),
    ]
    return "The mesh is not watertight: " + ", ".join(text for n, text in faults if n) + "."


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
