"""The mesh of a trained field, in the user's frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.surface import Extraction, decimate, extract, largest_component, transform

COLOR_CHUNK = 1 << 17


@torch.no_grad()
def make_mesh(
    field: Field,
    resolution: int = 256,
    threshold: float | None = None,
    largest: bool = False,
    dense: bool = False,
    faces: int | None = None,
) -> Extraction:
    """The field's surface, in the user's frame; with vertex colours where the field has them.

    It is simplified to at most `faces` triangles.
    """
    offset = field.level_of(threshold)
    extraction = extract(field.level, field.aabb, resolution, offset, dense)
    mesh = extraction.mesh
    if len(mesh.faces) == 0:
        raise FieldlrError(
            "the field has no surface at this threshold: it is all inside or all outside. Give "
            "another `threshold`, or train longer."
        )
    mesh = largest_component(mesh) if largest else mesh
    if isinstance(field, RadianceField):
        mesh = dataclasses.replace(mesh, colors=_vertex_colors(field, mesh))
    mesh = transform(mesh, field.frame)
    return dataclasses.replace(extraction, mesh=mesh if faces is None else decimate(mesh, faces))


def _vertex_colors(field: RadianceField, mesh: TriangleMesh) -> np.ndarray:
    """The colour (V, 3) uint8 of every vertex, seen from straight before it."""
    points = torch.from_numpy(mesh.vertices).float()
    facing = -torch.from_numpy(mesh.vertex_normals).float()
    parts = zip(points.split(COLOR_CHUNK), facing.split(COLOR_CHUNK), strict=True)
    colors = torch.cat([field(*part)[0] for part in parts])
    return (colors * 255.0).round().byte().numpy()
