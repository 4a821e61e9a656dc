"""The mesh of a trained field, in the user's frame.

A shape has a level. A field of photos is looked at from its cameras, and the depth maps are fused;
with a `threshold` it is the level set of that density.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb, Vector, vector
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.runs import Run
from fieldlr.runs.baking import baked
from fieldlr.runs.depth_fusion import fused
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.options import AXES, MeshOptions
from fieldlr.runs.subject import Subject
from fieldlr.runs.viewpoints import Viewpoints, viewpoints
from fieldlr.surface import Extraction, decimate, extract, largest_component, transform
from fieldlr.surface.cleaning import require_decimation, without_voids
from fieldlr.surface.floor import Plane, find_floor

COLOR_CHUNK = 1 << 17
# The floor is looked for on a mesh of so many samples, within and removed up to so many cells.
FLOOR_SAMPLES, FLOOR_CELLS = 128, 1.5

# Points (M, 3) and normals (M, 3) of the field's frame to colours (M, 3) in bytes.
Painter = Callable[[Float[Tensor, "m 3"], Float[Tensor, "m 3"]], UInt8[np.ndarray, "m 3"]]


@dataclass(frozen=True)
class SurfaceMesh(Extraction):
    """A mesh in the user's frame, what it cost, and the floor that was removed from it."""

    floor: Plane | None = None


def mesh_run(run: Run | FlrRun, options: MeshOptions | None = None) -> SurfaceMesh:
    """The mesh of a run: of photos, by its depth maps unless a threshold is chosen."""
    field = run.load_field()
    return make_mesh(field, options, viewpoints(run, field))


@torch.no_grad()
def make_mesh(
    field: Field, options: MeshOptions | None = None, views: Viewpoints | None = None
) -> SurfaceMesh:
    """The field's surface, in the user's frame; with colours where the field has them.

    With `views` and without a threshold it is what the depth maps of those views agree on, else a
    level of the field.
    """
    began = time.perf_counter()
    options = options or MeshOptions()
    if options.texture is not None and not isinstance(field, RadianceField):
        raise FieldlrError("`texture` is for runs made from photos; a shape has no colours.")
    if options.faces is not None:
        require_decimation()  # Before the work, not after it.
    subject, paint, stands = _subject(field, options, views)
    if options.crop is not None:
        subject = subject.cropped(Aabb(vector(options.crop[:3]), vector(options.crop[3:])))
    floor = None
    if options.remove_floor:
        floor, subject = _without_floor(subject, options.resolution)
    extraction = extract(subject.level, subject.aabb, options.resolution, dense=options.dense)
    if len(extraction.mesh.faces) == 0:
        raise _nothing(options)
    mesh = _cleaned(extraction.mesh, subject, options, stands)
    if len(mesh.faces) == 0:
        raise FieldlrError(
            "no view is sure of any part of the surface. Train longer, or close the `holes`."
        )
    # In the field's frame still: decimation counts in float32.
    mesh = mesh if options.faces is None else decimate(mesh, options.faces)
    mesh = transform(mesh, subject.frame)
    turn = torch.tensor(subject.frame.rotation, dtype=torch.float64)
    up = turn @ torch.tensor(subject.up, dtype=torch.float64)
    mesh = dataclasses.replace(mesh, up=vector(up.tolist()))
    if paint is not None:
        mesh = _painted(mesh, field, paint, options.texture)
    if options.scale is not None:
        mesh = dataclasses.replace(mesh, vertices=options.scale * mesh.vertices)
    extraction = dataclasses.replace(extraction, mesh=mesh, seconds=time.perf_counter() - began)
    return SurfaceMesh(**vars(extraction), floor=floor)


def _subject(
    field: Field, options: MeshOptions, views: Viewpoints | None
) -> tuple[Subject, Painter | None, np.ndarray | None]:
    """(what is meshed, in the field's frame; its colours; where cameras stand, if they tell)"""
    up, bounded = _upward(field, options), field.space.kind == "box"
    if isinstance(field, RadianceField) and options.threshold is None and views is not None:
        made = fused(field, views, options.resolution)
        fusion = made.fusion
        subject = Subject(fusion.level, made.aabb, field.frame, up, fusion.seen, bounded)
        return subject, made.colors, views.positions.double().numpy()
    offset = field.level_of(options.threshold)

    def level(points: Float[Tensor, "m 3"]) -> Float[Tensor, " m"]:
        return field.level(points) - offset

    paint = _straight_colors(field) if isinstance(field, RadianceField) else None
    return Subject(level, field.aabb, field.frame, up, bounded=bounded), paint, None


def _upward(field: Field, options: MeshOptions) -> Vector:
    """The direction that is up, in the field's frame."""
    if options.up is None:
        return (0.0, 1.0, 0.0) if field.space.kind == "ndc" else (0.0, 0.0, 1.0)
    # The axis of the user's frame, turned back: a row of the rotation.
    return vector(np.asarray(field.frame.rotation)[AXES.index(options.up)].tolist())


def _without_floor(subject: Subject, resolution: int) -> tuple[Plane, Subject]:
    """(the floor in the user's frame, what is above it)"""
    samples = min(resolution, FLOOR_SAMPLES)
    cell = subject.aabb.longest_edge / (samples - 1)
    coarse = extract(subject.level, subject.aabb, samples).mesh
    floor = find_floor(coarse, subject.up, FLOOR_CELLS * cell)
    return floor.transformed(subject.frame), subject.above(floor.raised(FLOOR_CELLS * cell))


def _cleaned(
    mesh: TriangleMesh, subject: Subject, options: MeshOptions, stands: np.ndarray | None
) -> TriangleMesh:
    """The parts of a mesh that are asked for."""
    if stands is not None and options.crop is None:
        mesh = without_voids(mesh, stands)
    holes = options.holes or ("closed" if subject.bounded or subject.seen is None else "left")
    if holes == "left":
        mesh = subject.opened(mesh, options.resolution)
    return largest_component(mesh) if options.largest else mesh


def _painted(mesh: TriangleMesh, field: Field, paint: Painter, texture: int | None) -> TriangleMesh:
    """The mesh, in the user's frame, with colours at its vertices or in a picture."""
    back = field.frame.inverse()

    def colors(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        rotation = torch.tensor(back.rotation, dtype=torch.float64)
        turned = torch.from_numpy(normals) @ rotation.T
        return paint(back.apply(torch.from_numpy(points)).float(), turned.float())

    if texture is not None:
        return dataclasses.replace(mesh, texture=baked(mesh, texture, colors))
    return dataclasses.replace(mesh, colors=colors(mesh.vertices, mesh.vertex_normals))


def _straight_colors(field: RadianceField) -> Painter:
    """The field's colours at points, seen from straight before them."""

    def paint(
        points: Float[Tensor, "m 3"], normals: Float[Tensor, "m 3"]
    ) -> UInt8[np.ndarray, "m 3"]:
        parts = zip(points.split(COLOR_CHUNK), normals.split(COLOR_CHUNK), strict=True)
        colors = torch.cat([field.radiance(some, -facing)[0] for some, facing in parts])
        return (colors * 255.0).round().byte().numpy()

    return paint


def _nothing(options: MeshOptions) -> FieldlrError:
    if options.crop is not None:
        return FieldlrError("there is no surface in the box `crop`. Give another box.")
    if options.threshold is None:
        return FieldlrError(
            "the field has no surface: it is all inside or all outside. Train longer."
        )
    return FieldlrError(
        "the field has no surface at this threshold: it is all inside or all outside. Give "
        "another `threshold`, or train longer."
    )
