"""Fields for the page: as .flr files that the browser draws, and as views rendered here.

A view comes as a coarse render first, then a sharp one. Fields are cached.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fieldlr import codec
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

MAX_CACHED_FIELDS = 4
MAX_PIXELS = 1 << 20
COARSE, FINE = 64, 192  # mesh resolutions at which shapes are shown
COARSE_QUALITY, FINE_QUALITY = 70, 90


@dataclass
class LoadedRun:
    """A loaded run: its field, and the meshes extracted from it by resolution."""

    run: Run
    field: Field
    version: int
    meshes: dict[int, TriangleMesh] = dataclasses.field(default_factory=dict)
    flr: bytes = b""  # empty until it is asked for


class Viewer:
    """Renders the runs of a workspace, one image at a time: renders share the CPU anyway."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.busy = threading.Lock()
        self._known: OrderedDict[str, LoadedRun] = OrderedDict()
        self._lock = threading.Lock()

    def loaded(self, job_id: str) -> LoadedRun:
        """The field of a run as it was last saved."""
        run = self.workspace.run(job_id)
        path = run.folder / "field.safetensors"
        if not path.exists():
            raise FieldlrError(
                "nothing to show yet: wait for the first checkpoint of the training."
            )
        version = path.stat().st_mtime_ns
        with self._lock:
            shown = self._known.get(job_id)
            if shown is None or shown.version != version:
                shown = LoadedRun(run, run.load_field(), version)
            self._known[job_id] = shown
            self._known.move_to_end(job_id)
            while len(self._known) > MAX_CACHED_FIELDS:
                self._known.popitem(last=False)
        return shown

    def flr(self, job_id: str) -> bytes:
        """The .flr file of a run as it was last saved, at automatic precision."""
        shown = self.loaded(job_id)
        with self.busy:
            if not shown.flr:
                shown.flr = codec.encode(shown.field, about=shown.run.about())
        return shown.flr

    def start(self, job_id: str, camera: int | None = None) -> dict[str, Any]:
        """Where a view rendered here starts, as plain values; empty before the first checkpoint.

        For photos: the names of the cameras, the one it starts at, its aspect, and the limits of
        turning, where None is no limit.
        """
        run = self.workspace.run(job_id)
        if run.kind != "photos" or not (run.folder / "field.safetensors").exists():
            return {}
        shown = self.loaded(job_id)
        cameras, test = run.load_cameras()
        held_out = set(test)
        begins = beginning(shown.run, shown.field, camera)
        width, height = begins.size
        return {
            "cameras": [
                f"photo {index + 1}" + (" (held out)" if index in held_out else "")
                for index in range(len(cameras))
            ],
            "camera": begins.camera,
            "shape": height / width,
            "room": [[end if math.isfinite(end) else None for end in ends] for ends in begins.room],
        }

    def frames(
        self, job_id: str, turn: Turn, size: tuple[int, int], depth: bool = False
    ) -> Iterator[bytes]:
        """JPEGs of one view, each sharper than the last."""
        if not 0 < size[0] * size[1] <= MAX_PIXELS:
            raise FieldlrError(
                f"a view may have at most {MAX_PIXELS:,} pixels; got {size[0]} x {size[1]}."
            )
        shown = self.loaded(job_id)
        pictures = (
            _radiance(shown, shown.field, turn, size, depth)
            if isinstance(shown.field, RadianceField)
            else _shape(shown, turn, size)
        )
        while True:
            # Not held while an image is sent: a browser that left never receives it.
            with self.busy:
                picture = next(pictures, None)
            if picture is None:
                return
            yield picture


def _radiance(
    shown: LoadedRun, field: RadianceField, turn: Turn, size: tuple[int, int], depth: bool
) -> Iterator[bytes]:
    camera = turned(shown.run, field, turn, size)
    background = shown.run.background or BLACK
    for rendering in render_progressively(field, camera, 0, background):
        fine = rendering.rgb.shape[1] == size[0]
        rgb = depth_picture(rendering.depth.numpy()) if depth else rendering.rgb.numpy()
        yield jpeg_bytes(rgb, FINE_QUALITY if fine else COARSE_QUALITY)


def _shape(shown: LoadedRun, turn: Turn, size: tuple[int, int]) -> Iterator[bytes]:
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
