"""What is done to a mesh after it was extracted: components, decimation, frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.triangles import TriangleMesh, connected_parts


def largest_component(mesh: TriangleMesh) -> TriangleMesh:
    """The connected part with the most faces."""
    if not len(mesh.faces):
        return mesh
    labels = _face_labels(mesh)
    return _with_faces(mesh, labels == np.bincount(labels).argmax())


def decimate(mesh: TriangleMesh, num_faces: int) -> TriangleMesh:
    """About `num_faces` triangles by quadric edge collapse (Garland and Heckbert 1997).

    Colours are those of the nearest vertex of the given mesh.
    """
    if num_faces < 4:
        raise FieldlrError(f"A closed mesh has at least 4 faces; got {num_faces}. Ask for more.")
    if len(mesh.faces) <= num_faces:
        return mesh
    try:
        import fast_simplification
    except ImportError:
        raise FieldlrError(
            "Decimation needs the package fast-simplification, which is not installed. "
            "Get it with pip install 'fieldlr[mesh]', or leave the mesh as it is."
        ) from None
    vertices, faces = fast_simplification.simplify(
        mesh.vertices, mesh.faces.astype(np.int32), target_count=num_faces
    )[:2]
    colors = mesh.colors
    if colors is not None:
        from scipy.spatial import KDTree

        colors = colors[KDTree(mesh.vertices).query(vertices)[1]]
    return TriangleMesh(vertices.astype(np.float64), faces.astype(np.int64), colors)


def transform(mesh: TriangleMesh, similarity: Similarity) -> TriangleMesh:
    """The mesh in another frame; a rotation that mirrors turns the faces over."""
    vertices = similarity.apply(torch.from_numpy(np.ascontiguousarray(mesh.vertices))).numpy()
    mirrors = np.linalg.det(np.asarray(similarity.rotation)) * similarity.scale < 0
    return replace(mesh, vertices=vertices, faces=mesh.faces[:, ::-1] if mirrors else mesh.faces)


def _face_labels(mesh: TriangleMesh) -> np.ndarray:
    """The number (F,) of the connected part that each face is in."""
    starts, stops = mesh.faces[:, :2].ravel(), mesh.faces[:, 1:].ravel()
    return connected_parts(len(mesh.vertices), starts, stops)[mesh.faces[:, 0]]


def _with_faces(mesh: TriangleMesh, kept: np.ndarray) -> TriangleMesh:
    """The faces kept (F,), and the vertices that they use in their old order."""
    faces = mesh.faces[kept]
    used = np.zeros(len(mesh.vertices), bool)
    used[faces] = True
    numbers = np.cumsum(used) - 1
    colors = None if mesh.colors is None else mesh.colors[used]
    return TriangleMesh(mesh.vertices[used], numbers[faces], colors)
