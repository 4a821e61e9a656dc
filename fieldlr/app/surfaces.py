"""The Surface tab: the range of thresholds, the mesh, its distance from the original."""

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

MAX_VIEW_FACES = 120_000
SHAPE_THRESHOLD = 0.5  # the default of shapes
SAMPLES = 40  # along each edge of the box, for the histogram
BINS = 48
PROBABILITY, DENSITY = "occupancy probability", "log10 of the density"
# The choices for holes on the page, and the values of the option.
UPRIGHT = {"Automatic": None, "x": "x", "y": "y", "z": "z"}
HOLES = {"Automatic": None, "Close": "closed", "Leave open": "left"}
DECADES = 1.5  # of density on each side of the default
WORST_SHARE = 0.01  # of the longest edge: the distance from which the colour is dark red


@dataclass(frozen=True)
class Surface:
    """A mesh made for the page."""

    full: Path
    view: Path
    faces: int
    watertight: bool
    seconds: float
    evaluations: int


@dataclass(frozen=True)
class Levels:
    """The range of the threshold slider, and the histogram of the field's values in its box.

    The values are probabilities for a shape, and decimal logarithms of densities for photos.
    """

    label: str
    low: float
    usual: float
    high: float
    counts: Int[np.ndarray, " bins"]


def threshold_of(field: Field, value: float) -> float:
    """The option `threshold` for a value of the slider."""
    return 10.0**value if isinstance(field, RadianceField) else value


@torch.no_grad()
def levels(field: Field) -> Levels:
    """The slider's range for a field, and the histogram of its values."""
    axis = torch.linspace(-1.0, 1.0, SAMPLES)
    level = field.level(field.aabb.from_unit(torch.cartesian_prod(axis, axis, axis)))
    if isinstance(field, RadianceField):
        usual = math.log10(SURFACE_DENSITY)
        low, high, values = usual - DECADES, usual + DECADES, usual + level / math.log(10.0)
        label = DENSITY
    else:
        label, low, usual, high, values = (
            PROBABILITY,
            0.02,
            SHAPE_THRESHOLD,
            0.98,
            torch.sigmoid(level),
        )
    counts, _ = np.histogram(values.clamp(low, high).numpy(), BINS, (low, high))
    return Levels(label, low, usual, high, counts)


def mesh_options(
    field: Field,
    resolution: int,
    largest: bool,
    level: float,
    joined: bool,
    crop: str,
    remove_floor: bool,
    holes: str,
    up: str,
) -> MeshOptions:
    """The mesh options that the inputs of the page stand for.

    The threshold is set only where the user has set it: photos are otherwise fused, shapes cut at
    their default.
    """
    default = joined if isinstance(field, RadianceField) else level == SHAPE_THRESHOLD
    return MeshOptions.of(
        resolution=resolution,
        threshold=None if default else threshold_of(field, level),
        crop=crop.strip() or None,
        remove_floor=remove_floor,
        holes=HOLES[holes],
        largest=largest,
        up=UPRIGHT[up],
    )


def surface_mesh(viewer: Viewer, job_id: str, options: MeshOptions) -> SurfaceMesh:
    """Extracts the mesh of a run."""
    shown = viewer.loaded(job_id)
    with viewer.busy:
        return make_mesh(shown.field, options, viewpoints(shown.run, shown.field))


def make_surface(
    viewer: Viewer, job_id: str, full: Path, options: MeshOptions, errors: bool = False
) -> Surface:
    """Extracts a run's surface: the full GLB for download, and a light one for the viewer."""
    shown = viewer.loaded(job_id)
    extraction = surface_mesh(viewer, job_id, options)
    mesh = extraction.mesh
    light = simplified(mesh)
    if errors:
        light = error_coloured(light, original(shown.run))
    view = full.with_name("surface-view.glb")
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
    """The surface of the mesh or volume that a run was trained on."""
    if run.kind == "photos":
        raise FieldlrError("photos have no original surface to compare with.")
    source = run.source
    if source is None or not source.exists():
        name = "(arrays in memory)" if source is None else source.name
        raise FieldlrError(f"the original {name} no longer exists.")
    volume = open_source(source, **run.reading).content
    if not isinstance(volume, OccupancyVolume):
        raise FieldlrError(f"the original file {source.name} no longer contains a shape.")
    return transform(surface_of(volume), volume.frame)


def simplified(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh with at most MAX_VIEW_FACES triangles, for the browser."""
    try:
        return decimate(mesh, MAX_VIEW_FACES)
    except FieldlrError:
        return mesh  # The simplification package is missing: show the full mesh.


def error_coloured(mesh: TriangleMesh, truth: TriangleMesh) -> TriangleMesh:
    """The mesh, coloured by the distance of its vertices from the true surface.

    Blue is 0, dark red is WORST_SHARE of the longest edge or more.
    """
    longest = float(np.ptp(truth.vertices, axis=0).max())
    distances = distances_to(truth, mesh.vertices)
    # The first colours of turbo are almost black, which would hide the shape.
    colors = turbo(0.1 + 0.9 * np.clip(distances / (WORST_SHARE * longest), 0.0, 1.0))
    return TriangleMesh(mesh.vertices, mesh.faces, colors)
