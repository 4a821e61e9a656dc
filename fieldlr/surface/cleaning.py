"""Post-processing of extracted meshes: components, decimation, transforms."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Bool, Float

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb, far_offset
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh, connected_parts


def largest_component(mesh: TriangleMesh) -> TriangleMesh:
    """The connected component with the most faces."""
    if not len(mesh.faces):
        return mesh
    labels = _face_labels(mesh)
    return with_faces(mesh, labels == np.bincount(labels).argmax())


def without_voids(mesh: TriangleMesh, viewpoints: Float[np.ndarray, "n 3"]) -> TriangleMesh:
    """The mesh without closed cavities that contain none of the viewpoints (N, 3).

    Such cavities cannot have been seen. A cavity is a component of negative volume.
    """
    if not len(mesh.faces):
        return mesh
    labels = _face_labels(mesh)
    corners = mesh.vertices[mesh.faces]
    volume = np.bincount(labels, np.linalg.det(corners))
    low, high = np.full((2, len(volume), 3), np.inf)
    np.minimum.at(low, labels, corners.min(1))
    np.minimum.at(high, labels, -corners.max(1))
    inside = (viewpoints[:, None] > low) & (viewpoints[:, None] < -high)
    visited = inside.all(-1).any(0)
    return with_faces(mesh, ((volume > 0.0) | visited)[labels])


def require_decimation() -> None:
    """FieldlrError where the package that simplifies meshes is not installed."""
    if find_spec("fast_simplification") is None:
        raise FieldlrError(
            "Decimation needs the package fast-simplification, which is not installed. "
            "Install it with pip install 'fieldlr[mesh]', or keep all `faces`."
        )


def decimate(mesh: TriangleMesh, num_faces: int) -> TriangleMesh:
    """About `num_faces` triangles by quadric edge collapse (Garland and Heckbert 1997).

    Colours are those of the nearest vertex of the given mesh.
    """
    if num_faces < 4:
        raise FieldlrError(f"A closed mesh has at least 4 faces; got {num_faces}. Use more.")
    if len(mesh.faces) <= num_faces:
        return mesh
    require_decimation()
    import fast_simplification

    offset = np.array(far_offset(Aabb.around(mesh.vertices)))  # It counts in float32.
    vertices, faces = fast_simplification.simplify(
        mesh.vertices - offset, mesh.faces.astype(np.int32), target_count=num_faces
    )[:2]
    vertices = vertices.astype(np.float64) + offset
    colors = mesh.colors
    if colors is not None:
        from scipy.spatial import KDTree

        colors = colors[KDTree(mesh.vertices).query(vertices)[1]]
    return TriangleMesh(vertices, faces.astype(np.int64), colors, up=mesh.up)


def transform(mesh: TriangleMesh, similarity: Similarity) -> TriangleMesh:
    """The mesh in another frame; a mirroring transform flips the faces."""
    vertices = similarity.apply(torch.from_numpy(np.ascontiguousarray(mesh.vertices))).numpy()
    mirrors = np.linalg.det(np.asarray(similarity.rotation)) * similarity.scale < 0
    return replace(mesh, vertices=vertices, faces=mesh.faces[:, ::-1] if mirrors else mesh.faces)


def _face_labels(mesh: TriangleMesh) -> np.ndarray:
    """The index (F,) of the connected component of each face."""
    starts, stops = mesh.faces[:, :2].ravel(), mesh.faces[:, 1:].ravel()
    return connected_parts(len(mesh.vertices), starts, stops)[mesh.faces[:, 0]]


def with_faces(mesh: TriangleMesh, kept: Bool[np.ndarray, " f"]) -> TriangleMesh:
    """The mesh of the faces kept (F,) and their vertices, in the same order."""
    faces = mesh.faces[kept]
    used = np.zeros(len(mesh.vertices), bool)
    used[faces] = True
    numbers = np.cumsum(used) - 1
    colors = None if mesh.colors is None else mesh.colors[used]
    return TriangleMesh(mesh.vertices[used], numbers[faces], colors, up=mesh.up)
