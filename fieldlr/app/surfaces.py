"""The surface tab: where the level may lie, the mesh at a level, its error against the original."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from fieldlr.app.views import Viewer
from fieldlr.data import OccupancyVolume, open_source
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.export.image import turbo
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import SURFACE_DENSITY, RadianceField
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.metrics.shape import distances_to
from fieldlr.runs import Run
from fieldlr.runs.mesh import SurfaceMesh, make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.viewpoints import viewpoints
from fieldlr.surface import decimate, transform
from fieldlr.training.tasks.occupancy import surface_of

VIEW_FACES = 120_000
SAMPLES = 40  # along each edge of the box, for the histogram
BINS = 48
PROBABILITY, DENSITY = "probability of being inside", "density, powers of ten"
# What the page says of holes, and the option that it is.
HOLES_WORDS = {"automatic": None, "closed": "closed", "left open": "left"}
DECADES = 1.5  # about the usual density
WORST_SHARE = 0.01  # of the longest edge: the error that is shown as dark red


@dataclass(frozen=True)
class Surface:
    """A mesh that was made for the page."""

    full: Path
    view: Path
    faces: int
    watertight: bool
    seconds: float
    evaluations: int


@dataclass(frozen=True)
class Levels:
    """The scale of the level slider, and how much of the box lies at each of its values.

    A probability for a shape; for photos the decimal logarithm of a density.
    """

    label: str
    low: float
    usual: float
    high: float
    counts: Int[np.ndarray, " bins"]


def threshold_of(field: Field, value: float) -> float:
    """What a value of the level slider is as `--threshold`."""
    return 10.0**value if isinstance(field, RadianceField) else value


@torch.no_grad()
def levels(field: Field) -> Levels:
    """The scale for a field, and the histogram of its values within its box."""
    axis = torch.linspace(-1.0, 1.0, SAMPLES)
    level = field.level(field.aabb.from_unit(torch.cartesian_prod(axis, axis, axis)))
    if isinstance(field, RadianceField):
        usual = math.log10(SURFACE_DENSITY)
        low, high, values = usual - DECADES, usual + DECADES, usual + level / math.log(10.0)
        label = DENSITY
    else:
        label, low, usual, high, values = PROBABILITY, 0.02, 0.5, 0.98, torch.sigmoid(level)
    counts, _ = np.histogram(values.clamp(low, high).numpy(), BINS, (low, high))
    return Levels(label, low, usual, high, counts)


def chosen(
    field: Field,
    resolution: int,
    largest: bool,
    level: float,
    joined: bool,
    crop: str,
    remove_floor: bool,
    holes: str,
) -> MeshOptions:
    """What the inputs of the page ask for, as `fieldlr mesh` has it."""
    of_photos = isinstance(field, RadianceField)
    return MeshOptions.of(
        resolution=resolution,
        threshold=None if of_photos and joined else threshold_of(field, level),
        crop=crop.strip() or None,
        remove_floor=remove_floor,
        holes=HOLES_WORDS[holes],
        largest=largest,
    )


def surface_mesh(viewer: Viewer, job_id: str, options: MeshOptions) -> SurfaceMesh:
    """The mesh of a run that is shown."""
    shown = viewer.shown(job_id)
    with viewer.busy:
        return make_mesh(shown.field, options, viewpoints(shown.run, shown.field))


def make_surface(
    viewer: Viewer, job_id: str, folder: Path, options: MeshOptions, errors: bool = False
) -> Surface:
    """Extracts a run's surface: a GLB for the viewer, and the whole one to take away."""
    shown = viewer.shown(job_id)
    extraction = surface_mesh(viewer, job_id, options)
    mesh = extraction.mesh
    light = lighter(mesh)
    if errors:
        light = with_errors(light, original(shown.run))
    full, view = folder / "surface.glb", folder / "surface-view.glb"
    write_mesh(mesh, full)
    write_mesh(light, view)
    return Surface(
        full,
        view,
        len(mesh.faces),
        mesh.is_watertight,
        extraction.seconds,
        extraction.evaluations,
    )


def original(run: Run) -> TriangleMesh:
    """The surface that a shape's run was made from."""
    if run.kind == "photos":
        raise FieldlrError("photos come without a surface to compare with.")
    source = run.source
    if source is None or not source.exists():
        name = "which was made of arrays" if source is None else source.name
        raise FieldlrError(f"the original, {name}, is no longer where it was.")
    volume = open_source(source, **run.reading).content
    if not isinstance(volume, OccupancyVolume):
        raise FieldlrError(f"the original, {source.name}, is no shape any more.")
    return transform(surface_of(volume), volume.frame)


def lighter(mesh: TriangleMesh) -> TriangleMesh:
    """The same for a browser, which need not turn more than VIEW_FACES triangles."""
    try:
        return decimate(mesh, VIEW_FACES)
    except FieldlrError:
        return mesh  # Without the package that simplifies, it is heavy but right.


def with_errors(mesh: TriangleMesh, truth: TriangleMesh) -> TriangleMesh:
    """The mesh in the colours of its vertices' distances to the true surface.

    Blue is none, dark red WORST_SHARE of the longest edge or more.
    """
    longest = float(np.ptp(truth.vertices, axis=0).max())
    distances = distances_to(truth, mesh.vertices)
    # Turbo starts almost black, which would hide the shape where there is no error.
    colors = turbo(0.1 + 0.9 * np.clip(distances / (WORST_SHARE * longest), 0.0, 1.0))
    return TriangleMesh(mesh.vertices, mesh.faces, colors)
