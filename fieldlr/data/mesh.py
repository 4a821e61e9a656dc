"""Reads a surface (see SUFFIXES) and makes it the solid that a field is fitted to.

The frame is the user's own, +Z up. glTF is +Y up by its specification, so a .glb is turned by +90
degrees about X on the way in, and back on the way out; a .dae says itself which axis is up.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from fieldlr.data import (
    glb,
    gltf_file,
    obj_text,
    plain_gltf,
    ply_file,
    stl_file,
    voxels,
    xml_meshes,
)
from fieldlr.data.scene import FARTHEST
from fieldlr.data.volume import OccupancyVolume, make_volume
from fieldlr.errors import FieldlrError
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.system import memory

SUFFIXES = (".obj", ".ply", ".stl", ".off", ".glb", ".gltf", *xml_meshes.PACKAGES)
# From a frame in which this axis is up to +Z up. What is right and near is as COLLADA says.
_TO_WORLD = {
    "X": np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]),
    "Y": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "Z": np.eye(3),
}
_OFF_WORD = re.compile(rb"\w*off\b", re.IGNORECASE)
# What reading takes for every byte of a file, at most: 24 for a text, 14 for a binary one.
BYTES_PER_FILE_BYTE = 24
_MERGE_STEPS = 2**20  # vertices nearer than this part of the longest edge are one
# Triangles this few float32 steps wide have lost their shape.
_FEWEST_STEPS = 4


def can_read(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def read(path: Path, grid: int | None = None, most_bytes: int | None = None) -> OccupancyVolume:
    """The solid inside a mesh file, `grid` cubic voxels along its longest (padded) edge.

    By default 512; 256 for triangle soup, which takes longer.
    """
    mesh, notes = read_triangles(path, most_bytes)
    cells, aabb, mesh, more = voxels.solid(mesh, grid, most_bytes)
    return make_volume(path.stem, cells, aabb, mesh, (*notes, *more))


def read_triangles(
    path: Path, most_bytes: int | None = None
) -> tuple[TriangleMesh, tuple[str, ...]]:
    """(mesh, notes): all triangles of a file in one frame, cleaned; the notes say of what."""
    sizes = {".gltf": gltf_file.num_bytes, ".3mf": xml_meshes.num_bytes}
    own = sizes.get(path.suffix.lower())
    size = own(path) if own else path.stat().st_size
    num_bytes = memory.BASE_BYTES + BYTES_PER_FILE_BYTE * size
    memory.require(num_bytes, most_bytes, "Decimate the mesh in an editor.")
    vertices, faces, colors = _load(path)
    if len(faces) == 0:
        count = len(vertices)
        points = f"{count:,} point{'s' * (count > 1)} and " if count else ""
        raise FieldlrError(
            f"A mesh needs triangles; {path.name} holds {points}no triangle. Export the surface "
            "itself, not its points."
        )
    return cleaned(path, vertices, faces, colors)


def _load(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Vertices, faces and colours of every body, placed by the scene's own transforms."""
    try:
        suffix = path.suffix.lower()
        if suffix == ".gltf":
            return _parsed(gltf_file.as_glb(path), ".glb")
        return _parsed(path.read_bytes(), suffix)
    except (FieldlrError, MemoryError):
        raise
    except Exception as error:  # a parser can raise any error for a corrupt file
        raise FieldlrError(
            f"{path.name} is not a readable {path.suffix.lower()} file ({type(error).__name__}: "
            f"{str(error)[:100]}). Open it in a mesh editor and export it again."
        ) from error


Parsed = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # vertices, faces, colours


def _parsed(data: bytes, suffix: str) -> Parsed:
    if suffix == ".stl":
        corners = stl_file.parse(data).reshape(-1, 3)
        return corners, np.arange(len(corners)).reshape(-1, 3), None
    if suffix == ".ply":
        ply = ply_file.parse(data)
        points = ply.columns(("x", "y", "z"))
        assert points is not None  # The parser has read them.
        return points, ply.faces, ply.colors
    return _parsed_scene(data, suffix)


def _parsed_scene(data: bytes, suffix: str) -> Parsed:
    import trimesh

    if suffix == ".glb":
        data = glb.with_scene(plain_gltf.plain(data))
    if suffix == ".obj":
        data = obj_text.absolute(obj_text.plain(data))
    if suffix in xml_meshes.PACKAGES:
        xml_meshes.require_readable(data, suffix)
    if suffix == ".off":
        data = _OFF_WORD.sub(lambda word: word[0].upper(), data, count=1)
    # Bytes have no folder: no other file is read, whatever this one refers to.
    how = {"file_type": suffix[1:], "process": False, "skip_materials": True}
    scene = trimesh.load_scene(io.BytesIO(data), **how)
    bodies: list[Any] = [body for body in scene.dump() if len(getattr(body, "vertices", ()))]
    surfaces = [body for body in bodies if isinstance(body, trimesh.Trimesh)]
    if not surfaces:
        points = np.concatenate([np.zeros((0, 3)), *[body.vertices for body in bodies]])
        return points, np.zeros((0, 3)), None
    offsets = np.cumsum([0, *[len(body.vertices) for body in surfaces]])
    vertices = np.concatenate([np.asarray(body.vertices, np.float64) for body in surfaces])
    faces = np.concatenate(
        [np.asarray(b.faces, np.int64) + start for b, start in zip(surfaces, offsets, strict=False)]
    )
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,):
        raise ValueError("its points or its triangles do not have three numbers each")
    up = {".glb": "Y", ".dae": xml_meshes.up_axis(data)}.get(suffix, "Z")
    return vertices @ _TO_WORLD[up].T, faces, _colors(surfaces)


def _colors(surfaces: list[Any]) -> np.ndarray | None:
    """Vertex colours (V, 3) uint8 if every body has them."""
    if any(body.visual.kind != "vertex" for body in surfaces):
        return None
    return np.concatenate([np.asarray(body.visual.vertex_colors)[:, :3] for body in surfaces])


def cleaned(
    path: Path,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colors: UInt8[np.ndarray, "v 3"] | None,
) -> tuple[TriangleMesh, tuple[str, ...]]:
    """The mesh with equal vertices merged and degenerate faces removed."""
    notes = []

    def drop(faces: np.ndarray, useless: np.ndarray, what: str) -> np.ndarray:
        if useless.any():
            notes.append(f"{useless.sum():,} {what} dropped.")
        return faces[~useless]

    missing = np.any((faces < 0) | (faces >= len(vertices)), axis=1)
    faces = drop(faces, missing, "faces with vertex indices out of range were")
    broken = ~np.all(np.abs(vertices) <= FARTHEST, axis=1)
    faces = drop(faces, broken[faces].any(1), "faces with NaN or infinite coordinates were")
    if len(faces) == 0:
        raise FieldlrError(f"No face of {path.name} has finite coordinates. Export the mesh again.")
    _require_unrounded(path, vertices[faces])
    vertices, faces, colors = _merged(vertices, faces, colors)
    a, b, c = faces.T
    faces = drop(faces, (a == b) | (b == c) | (c == a), "faces without area were")
    faces = drop(faces, _repeated(faces), "duplicate faces were")
    if len(faces) == 0 or not np.ptp(vertices, axis=0).max() > 0:
        raise FieldlrError(f"All triangles of {path.name} have no area. Export the mesh again.")
    return TriangleMesh(vertices, faces, colors), tuple(notes)


def _require_unrounded(path: Path, corners: Float[np.ndarray, "f 3 3"]) -> None:
    """FieldlrError where float32 coordinates far from the origin have flattened the triangles."""
    farthest = np.float32(np.abs(corners).max())
    step, edge = np.spacing(farthest), np.median(np.ptp(corners, axis=1).max(1))
    if edge < _FEWEST_STEPS * step and (corners == corners.astype(np.float32)).all():
        raise FieldlrError(
            f"{path.name} stores float32 coordinates up to {farthest:g} from the origin, which "
            f"come in steps of {step:g}; its triangles are {edge:g} wide. Move it near the "
            "origin before it is exported."
        )


def _merged(
    vertices: np.ndarray, faces: np.ndarray, colors: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Vertices in the same place become one; those of no face go."""
    used = np.unique(faces)
    low = vertices[used].min(0)
    longest = float(np.ptp(vertices[used], axis=0).max()) or 1.0
    steps = np.rint((vertices[used] - low) / longest * _MERGE_STEPS).astype(np.int64)
    key = (steps[:, 0] << 42) + (steps[:, 1] << 21) + steps[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    place = np.empty(len(vertices), np.int64)
    place[used] = inverse
    kept = used[first]
    return vertices[kept], place[faces], None if colors is None else colors[kept]


def _repeated(faces: np.ndarray) -> np.ndarray:
    """Which faces have the corners of an earlier one, in the same sense or, if most do, in either.

    Two faces of opposite sense cancel, as the wall between two glued boxes should; where nearly
    every face has such a partner the surface was stored double-sided, and one side is enough.
    """
    ring = np.stack([np.roll(faces, -k, axis=1) for k in range(3)], 1)
    turned = ring[np.arange(len(faces)), faces.argmin(1)]
    same = _later_twins(turned)
    either = _later_twins(np.sort(faces, axis=1))
    return either if (either & ~same).sum() > 0.45 * (~same).sum() else same


def _later_twins(rows: np.ndarray) -> np.ndarray:
    """Which rows (F, 3) of whole numbers equal an earlier one."""
    order = np.lexsort(rows.T)
    twin = (np.diff(rows[order], axis=0) == 0).all(1)
    later = np.zeros(len(rows), bool)
    later[order[1:][twin]] = True
    return later
