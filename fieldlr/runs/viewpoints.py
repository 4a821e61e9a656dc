"""Viewpoints from which a surface is fused: the photos' cameras, or generated ones."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Vector, vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.rendering.flights import natural_path
from fieldlr.rendering.paths import focal_for, orbit
from fieldlr.rendering.standpoints import STEEPEST, layout, standpoints
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun

MOST_VIEWS, MOST_RAYS = 64, 1_500_000
# Fewer cameras than this, as a .flr file keeps, are joined by others on a path near them.
FEWEST, ADDED, SPREAD_DEGREES = 12, 16, 25.0


@dataclass(frozen=True)
class Viewpoints:
    """Cameras of ideal lenses in the field's frame, and what is behind the scene."""

    cameras: Cameras
    background: Vector | None

    @property
    def positions(self) -> Float[Tensor, "n 3"]:
        return self.cameras.camera_to_world[:, :, 3]


def viewpoints(run: Run | FlrRun, field: Field) -> Viewpoints | None:
    """The cameras that trained a field of photos, at most MOST_VIEWS of them; None for a shape."""
    if not isinstance(field, RadianceField):
        return None
    try:
        cameras, test = run.load_cameras()
    except FieldlrError:
        raise FieldlrError(
            f"{run.folder} keeps no cameras to look at the surface from. Give a `threshold`."
        ) from None
    trained = [index for index in range(len(cameras)) if index not in test]
    if len(trained) >= FEWEST:
        cameras = cameras[trained]
    places = torch.linspace(0, len(cameras) - 1, min(len(cameras), MOST_VIEWS)).round().long()
    cameras = _ideal(cameras[places])
    if len(cameras) < FEWEST:
        cameras = _joined(cameras, _between(cameras))
    rays = int(cameras.sizes.prod(1).sum())
    cameras = cameras.resized(min(1.0, math.sqrt(MOST_RAYS / rays)))
    return Viewpoints(cameras, run.background)


def _ideal(cameras: Cameras) -> Cameras:
    """The same views through lenses without distortion."""
    plain = torch.zeros_like(cameras.distortion)
    return dataclasses.replace(cameras, distortion=plain, model="perspective")


def _between(cameras: Cameras) -> list[Cameras]:
    """Views where others of the same capture are likely to have stood."""
    width, height = cameras.sizes[0].tolist()
    size = (width, height)
    if layout(cameras) != "around":
        return [natural_path(cameras, ADDED, size)]
    known, focal = standpoints(cameras), focal_for(cameras, size)
    center, radius = vector(known.focus.tolist()), float(known.distance.mean())
    middle = float(known.elevation.mean())
    heights = (min(middle + turn * SPREAD_DEGREES, STEEPEST) for turn in (-1.0, 0.0, 1.0))
    return [orbit(center, radius, height, ADDED, focal, size) for height in heights]


def _joined(first: Cameras, others: list[Cameras]) -> Cameras:
    everyone = [first, *others]
    return Cameras(
        torch.cat([some.camera_to_world for some in everyone]),
        torch.cat([some.intrinsics for some in everyone]),
        torch.cat([some.sizes for some in everyone]),
        torch.cat([some.distortion for some in everyone]),
    )
