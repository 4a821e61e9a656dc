"""Views of a run: cameras along a path or turned by hand, and the picture from each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb, Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.pictures.shading import shade
from fieldlr.rendering.paths import (
    focal_for,
    mean_view,
    orbit,
    orbit_of,
    read_camera_path,
    spiral,
    sway,
)
from fieldlr.rendering.render import BLACK, render_image
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions

# A view of a shape: an orbit that sees all of it, from a little above.
SHAPE_SIZE, SHAPE_ELEVATION, SHAPE_DISTANCE = (480, 480), 20.0, 3.0
SHAPE_AZIMUTH = 300.0  # where one that turns it by hand begins
STEEPEST = 85.0  # degrees: straight from above, nothing is to the right
# Degrees of a turn that are one spread of the cameras, where all look one way.
DEGREES_A_SPREAD = 30.0

# Floats in [0, 1], or bytes.
Picture = Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class View:
    """One picture of a field."""

    rgb: Picture = dataclasses.field(repr=False)
    # Along the ray, user's units; 0 where nothing is seen.
    depth: Float[np.ndarray, "h w"] | None = dataclasses.field(repr=False)


def camera_path(
    run: Run | FlrRun, field: Field, path: str | None, frames: int, size: tuple[int, int] | None
) -> Cameras:
    """Cameras in the field's frame: `orbit`, `spiral`, `test`, or a camera_path.json."""
    is_photos = run.kind == "photos"
    if path not in (None, "orbit", "spiral", "test"):
        return read_camera_path(Path(path), field.frame, size)
    if not is_photos:
        if path in ("spiral", "test"):
            raise FieldlrError(
                f"`path` {path} follows the photos' cameras; this run was made from a "
                f"{run.kind}. Use `path` orbit, or a camera_path.json."
            )
        return _shape_orbit(field.aabb, frames, size or SHAPE_SIZE)
    cameras, test = run.load_cameras()
    width, height = cameras.sizes[0].tolist()
    if path == "test" or (path is None and frames == 1):
        views = cameras[list(test) or [0]]
        views = views[:frames] if frames == 1 else views
        return views if size is None else views.resized(torch.tensor([size] * len(views)))
    forward = field.space.kind == "ndc"
    if path == "orbit" and forward:
        raise FieldlrError(
            "photos that all look one way cannot be orbited: behind them nothing is known. Use "
            "`path` spiral."
        )
    if path == "spiral" or (path is None and forward):
        return spiral(cameras, frames, size or (width, height))
    return orbit_of(cameras, frames, size or (width, height))


@dataclass(frozen=True)
class Turn:
    """How far a view was turned by hand from where it begins: degrees, and a magnification."""

    right: float = 0.0
    up: float = 0.0
    zoom: float = 1.0


def turned(run: Run, field: Field, turn: Turn, size: tuple[int, int]) -> Cameras:
    """The one camera, in the field's frame, of a view that was turned by hand."""
    if run.kind != "photos":
        return _shape_orbit(field.aabb, 1, size, turn)
    cameras, _ = run.load_cameras()
    if field.space.kind == "ndc":
        nearer = 1.0 - 1.0 / turn.zoom
        return sway(
            cameras, turn.right / DEGREES_A_SPREAD, turn.up / DEGREES_A_SPREAD, nearer, size
        )
    view, focal = mean_view(cameras), focal_for(cameras, size)
    azimuth, elevation = view.azimuth + turn.right, _not_too_steep(view.elevation + turn.up)
    return orbit(view.center, view.radius / turn.zoom, elevation, 1, focal, size, azimuth)


def _not_too_steep(elevation: float) -> float:
    return max(-STEEPEST, min(STEEPEST, elevation))


def _shape_orbit(
    aabb: Aabb, frames: int, size: tuple[int, int], turn: Turn | None = None
) -> Cameras:
    """An orbit that sees all of a box; or where a turn leads to from SHAPE_AZIMUTH."""
    radius = 0.5 * SHAPE_DISTANCE * float(np.linalg.norm(aabb.size))
    focal = 0.5 * min(size) * (SHAPE_DISTANCE**2 - 1.0) ** 0.5
    elevation, azimuth = SHAPE_ELEVATION, 0.0
    if turn is not None:
        elevation, azimuth = _not_too_steep(elevation + turn.up), SHAPE_AZIMUTH + turn.right
        focal *= turn.zoom
    return orbit(aabb.center, radius, elevation, frames, focal, size, azimuth)


def views(
    run: Run | FlrRun, field: Field, cameras: Cameras, resolution: int = 256
) -> Iterator[View]:
    """A picture from each camera. A shape is drawn by its mesh, of that resolution."""
    if isinstance(field, RadianceField):
        yield from _radiance_views(field, cameras, run.background or BLACK)
        return
    # A shape's own frame is the user's, so its mesh and its cameras are in the same one.
    mesh = make_mesh(field, MeshOptions(resolution=resolution)).mesh
    for index in range(len(cameras)):
        pose = cameras.camera_to_world[index].double().numpy()
        width, height = cameras.sizes[index].tolist()
        yield View(shade(mesh, pose, float(cameras.intrinsics[index, 0]), width, height), None)


def _radiance_views(field: RadianceField, cameras: Cameras, background: Vector) -> Iterator[View]:
    for index in range(len(cameras)):
        rendering = render_image(field, cameras, index, background)
        yield View(rendering.rgb.numpy(), (rendering.depth * field.frame.scale).numpy())
