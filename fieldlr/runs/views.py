"""Views of a run: the picture from each camera, and the camera of a view turned by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.export.image import png_bytes, write_image
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb, Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.placement import ideal_cameras
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.rendering.paths import UP, focal_for
from fieldlr.rendering.render import BLACK, WHITE, render_image
from fieldlr.rendering.standpoints import STEEPEST, pivot, turned_pose, turning_limits
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.planning import SHAPE_ELEVATION, home_of, shape_orbit
from fieldlr.surface import transform

SHAPE_AZIMUTH = 300.0  # where a shape's view begins that is turned by hand

# Floats in [0, 1], or bytes.
Picture = Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, repr=False)
class View:
    """One picture of a field."""

    rgb: Picture = dataclasses.field(repr=False)
    # Along the ray, user's units; 0 where nothing is seen. None for a shape.
    depth: Float[np.ndarray, "h w"] | None = dataclasses.field(repr=False)

    def save(self, path: Path | str) -> None:
        """Writes the picture as .png."""
        write_image(self.rgb, path)

    def __repr__(self) -> str:
        return f"View of {self.rgb.shape[1]} x {self.rgb.shape[0]} pixels"

    def _repr_png_(self) -> bytes:
        return png_bytes(self.rgb)


@dataclass(frozen=True)
class Turn:
    """How far a view was turned by hand from where it begins: degrees, and a magnification.

    A view of photos begins at one of their cameras, by default at the one that shows them best.
    """

    right: float = 0.0
    up: float = 0.0
    zoom: float = 1.0
    camera: int | None = None


def turned(run: Run | FlrRun, field: Field, turn: Turn, size: tuple[int, int]) -> Cameras:
    """The one camera, in the field's frame, of a view that was turned by hand.

    It stays near the cameras of photos (`turning_limits`), and `zoom` is that of a lens.
    """
    if run.kind != "photos":
        return _turned_shape(field.aabb, turn, size)
    cameras, test = run.load_cameras()
    index, up = _camera_of(turn, cameras, test), _upward(field)
    (left, right), (below, above) = turning_limits(cameras, index, up)
    pose = turned_pose(
        cameras.camera_to_world[index],
        pivot(cameras, index),
        max(left, min(right, turn.right)),
        max(below, min(above, turn.up)),
        up,
    )
    return ideal_cameras(pose[None], turn.zoom * focal_for(cameras[index], size), size)


@dataclass(frozen=True)
class Beginning:
    """Where a view of photos begins that is turned by hand."""

    camera: int
    size: tuple[int, int]  # of its photo
    room: tuple[tuple[float, float], tuple[float, float]]  # as `turning_limits`


def beginning(run: Run, field: Field, camera: int | None = None) -> Beginning:
    """Of a run made from photos, at a camera or at the one that shows them best."""
    cameras, test = run.load_cameras()
    index = _camera_of(Turn(camera=camera), cameras, test)
    width, height = cameras.sizes[index].tolist()
    return Beginning(index, (width, height), turning_limits(cameras, index, _upward(field)))


def _camera_of(turn: Turn, cameras: Cameras, test: tuple[int, ...]) -> int:
    if turn.camera is None:
        return home_of(cameras, test)
    if not 0 <= turn.camera < len(cameras):
        raise FieldlrError(
            f"a view begins at one of the {len(cameras)} cameras, counted from 0; got "
            f"{turn.camera}."
        )
    return turn.camera


def _upward(field: Field) -> Float[Tensor, " 3"]:
    """Photos that all look one way have +Y up in their frame, others +Z."""
    return UP[[0, 2, 1]] if field.space.kind == "ndc" else UP


def _turned_shape(aabb: Aabb, turn: Turn, size: tuple[int, int]) -> Cameras:
    start = shape_orbit(aabb, 1, size)
    elevation = max(-STEEPEST, min(STEEPEST, SHAPE_ELEVATION + turn.up))
    center = torch.tensor(aabb.center, dtype=torch.float64)
    pose = start.camera_to_world[0]
    pose = turned_pose(pose, center, SHAPE_AZIMUTH + turn.right, elevation - SHAPE_ELEVATION)
    return ideal_cameras(pose[None], turn.zoom * float(start.intrinsics[0, 0]), size)


def views(
    run: Run | FlrRun,
    field: Field,
    cameras: Cameras,
    resolution: int = 256,
    background: Vector | None = None,
) -> Iterator[View]:
    """A picture from each camera. A shape is drawn by its mesh, of that resolution.

    `background` is an sRGB colour, by default that of the run and white behind shapes.
    """
    if isinstance(field, RadianceField):
        yield from _radiance_views(field, cameras, background or run.background or BLACK)
        return
    mesh = make_mesh(field, MeshOptions(resolution=resolution)).mesh
    mesh = transform(mesh, field.frame.inverse())
    for camera in cameras:
        yield shape_view(mesh, camera, background or WHITE)


def shape_view(mesh: TriangleMesh, camera: Cameras, background: Vector = WHITE) -> View:
    """The picture of a mesh from one ideal camera, over an sRGB colour."""
    (width, height), (fx, fy, cx, cy) = camera.sizes[0].tolist(), camera.intrinsics[0].tolist()
    ideal = abs(fx - fy) < 1e-3 * fx and abs(cx - 0.5 * width) + abs(cy - 0.5 * height) < 1.0
    if not ideal or camera.model != "perspective" or bool(camera.distortion.any()):
        raise FieldlrError(
            "a shape is drawn by an ideal camera: without distortion, with one focal length and "
            "the principal point in the middle. Give `Cameras.looking_at`, or leave the lens out."
        )
    pose = camera.camera_to_world[0].double().numpy()
    return View(shade(mesh, pose, fx, width, height, background=background), None)


def _radiance_views(field: RadianceField, cameras: Cameras, background: Vector) -> Iterator[View]:
    for index in range(len(cameras)):
        rendering = render_image(field, cameras, index, background)
        yield View(rendering.rgb.numpy(), (rendering.depth * field.frame.scale).numpy())
