"""Novel views for the page: coarse at once, then sharp, from fields that are kept at hand."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export import depth_picture
from fieldlr.export.image import jpeg_bytes
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.rendering.render import BLACK, render_progressively
from fieldlr.runs import Run
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.views import Turn, beginning, turned
from fieldlr.surface import transform

KEPT_FIELDS = 4
MOST_PIXELS = 1 << 20
COARSE, FINE = 64, 192  # resolutions of the mesh that shows a solid
COARSE_QUALITY, FINE_QUALITY = 70, 90


@dataclass
class Shown:
    """A run that is looked at, and what was made of it."""

    run: Run
    field: Field
    version: int
    meshes: dict[int, TriangleMesh]


class Viewer:
    """Renders the runs of a workspace. One picture at a time: they share the processor anyway."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.busy = threading.Lock()
        self._known: OrderedDict[str, Shown] = OrderedDict()
        self._lock = threading.Lock()

    def shown(self, job_id: str) -> Shown:
        """A run's field as it was last saved."""
        run = self.workspace.run(job_id)
        path = run.folder / "field.safetensors"
        if not path.exists():
            raise FieldlrError(
                "there is nothing to see yet: a training keeps what it has every half minute."
            )
        version = path.stat().st_mtime_ns
        with self._lock:
            shown = self._known.get(job_id)
            if shown is None or shown.version != version:
                shown = Shown(run, run.load_field(), version, {})
            self._known[job_id] = shown
            self._known.move_to_end(job_id)
            while len(self._known) > KEPT_FIELDS:
                self._known.popitem(last=False)
        return shown

    def start(self, job_id: str, camera: int | None = None) -> dict[str, Any]:
        """What the page needs to turn a view of photos: the camera, its shape, how far to turn.

        Plain values; None stands for no limit. Nothing before there is a field, or of a solid.
        """
        path = self.workspace.run(job_id).folder / "field.safetensors"
        if not path.exists():
            return {}
        shown = self.shown(job_id)
        if shown.run.kind != "photos":
            return {}
        begins = beginning(shown.run, shown.field, camera)
        width, height = begins.size
        room = [[end if math.isfinite(end) else None for end in ends] for ends in begins.room]
        return {"camera": begins.camera, "shape": height / width, "room": room}

    def frames(
        self, job_id: str, turn: Turn, size: tuple[int, int], depth: bool = False
    ) -> Iterator[bytes]:
        """JPEGs of one view, each sharper than the one before."""
        if not 0 < size[0] * size[1] <= MOST_PIXELS:
            raise FieldlrError(f"a view has at most {MOST_PIXELS:,} pixels.")
        shown = self.shown(job_id)
        pictures = (
            _radiance(shown, shown.field, turn, size, depth)
            if isinstance(shown.field, RadianceField)
            else _solid(shown, turn, size)
        )
        while True:
            # Not held while a picture is on its way: a browser that goes away never fetches it.
            with self.busy:
                picture = next(pictures, None)
            if picture is None:
                return
            yield picture


def _radiance(
    shown: Shown, field: RadianceField, turn: Turn, size: tuple[int, int], depth: bool
) -> Iterator[bytes]:
    camera = turned(shown.run, field, turn, size)
    background = shown.run.background or BLACK
    for rendering in render_progressively(field, camera, 0, background):
        fine = rendering.rgb.shape[1] == size[0]
        rgb = depth_picture(rendering.depth.numpy()) if depth else rendering.rgb.numpy()
        yield jpeg_bytes(rgb, FINE_QUALITY if fine else COARSE_QUALITY)


def _solid(shown: Shown, turn: Turn, size: tuple[int, int]) -> Iterator[bytes]:
    for resolution, divisor in ((COARSE, 2), (FINE, 1)):
        small = (max(1, size[0] // divisor), max(1, size[1] // divisor))
        camera = turned(shown.run, shown.field, turn, small)
        if resolution not in shown.meshes:
            solid = make_mesh(shown.field, MeshOptions(resolution=resolution)).mesh
            shown.meshes[resolution] = transform(solid, shown.field.frame.inverse())
        pose = camera.camera_to_world[0].double().numpy()
        focal = float(camera.intrinsics[0, 0])
        rgb: np.ndarray = shade(shown.meshes[resolution], pose, focal, *small)
        yield jpeg_bytes(rgb, FINE_QUALITY)
