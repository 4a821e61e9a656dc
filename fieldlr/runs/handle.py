"""Methods of a run in Python: evaluate the field, render, measure, export."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.pictures.drawing import Drawing
from fieldlr.rendering.render import WHITE
from fieldlr.runs.options import EvaluationOptions, FileOptions, MeshOptions, RenderOptions
from fieldlr.runs.shown import CompressedField, Figures, Mesh, lines_of, page
from fieldlr.system.process import prepared
from fieldlr.system.signatures import takes
from fieldlr.training.tasks import Task

if TYPE_CHECKING:
    from fieldlr.runs.views import View

RESOLUTION = 160  # of the mesh that a shape is drawn by


class Handle:
    """The methods of runs, of a folder as of a .flr file.

    Everything takes and gives the coordinates and units of the source. Settings of torch that the
    work wants are put back before a method returns.
    """

    task: Task | None = None  # the source, where it is open already

    @cached_property
    def field(self) -> Field:
        """The trained field: `field(points)`, `field.inside(points)`, `field.query(...)`."""
        return self._run.load_field()

    @cached_property
    def cameras(self) -> Cameras:
        """The photos' cameras; FieldlrError of a shape, which has none."""
        if self._run.kind != "photos":
            raise FieldlrError(f"a run made from a {self._run.kind} has no cameras.")
        return self._run.load_cameras()[0].transformed(self.field.frame)

    @property
    def held_out(self) -> tuple[int, ...]:
        """Which of the photos are held out, counted from 0."""
        return self._run.load_cameras()[1] if self._run.kind == "photos" else ()

    @takes(EvaluationOptions)
    def evaluate(self, source: Path | str | None = None, **options: Any) -> Figures:
        """The full evaluation: PSNR and SSIM of held-out views, or IoU, Chamfer distance, F-score.

        source: where the source is now, if it has moved. Docs: coordinates and metrics.
        """
        from fieldlr.runs.pipeline import evaluate

        chosen = EvaluationOptions.of(**options)
        place = None if source is None else Path(source)
        with prepared():
            return Figures(evaluate(self._run, place, chosen.resolution, self.task))

    @takes(MeshOptions)
    def mesh(self, **options: Any) -> Mesh:
        """The surface as triangles, with colours where the field has them."""
        from fieldlr.runs.mesh import mesh_run

        chosen = MeshOptions.of(**options)
        with prepared():
            return Mesh(**vars(mesh_run(self._run, chosen).mesh))

    def render(
        self,
        camera: Cameras | None = None,
        *,
        size: tuple[int, int] | None = None,
        background: str | Vector | None = None,
    ) -> View:
        """The view of one camera: `rgb`, for photos also `depth`; a notebook shows it.

        camera: one camera (`Cameras.looking_at`, `run.cameras[3]`), by default the training camera
        that shows the scene best, or one that sees all of a shape. size: (width, height) in pixels,
        by default the camera's; another shape crops or widens what is seen. background: the colour
        behind, "#RRGGBB" or three numbers in [0, 1], by default as `fieldlr render` has it.
        """
        from fieldlr.runs.planning import plan_views
        from fieldlr.runs.views import shape_view, views

        field, behind = self.field, RenderOptions.of(background=background).background
        if camera is None:
            cameras = plan_views(self._run, field, None, 1, size).cameras
        elif len(camera) != 1:
            raise FieldlrError(
                f"`render` makes the view of one camera; got {len(camera)}. Choose one, "
                "or render each: [run.render(camera) for camera in cameras]."
            )
        else:
            camera = camera if size is None else camera.resized(torch.tensor([size]))
            cameras = camera.transformed(field.frame.inverse())
        with prepared():
            if isinstance(field, RadianceField):
                return next(views(self._run, field, cameras, background=behind))
            return shape_view(self._surface, cameras, behind or WHITE)

    @takes(FileOptions)
    def compress(self, out: Path | str | None = None, **options: Any) -> CompressedField:
        """The field as the bytes of a .flr file, and their quality after decoding.

        out: where to write the file; without it nothing is written (`.save` of what this gives
        does it later).
        """
        from fieldlr.runs.compress import Compression
        from fieldlr.training.loop import FitConfig

        chosen = FileOptions.of(**options)
        end = None if chosen.finetune is None else FitConfig(seconds=chosen.finetune)
        with prepared():
            work = Compression(
                self._run,
                out,
                chosen.bits,
                None,
                end,
                self.task,
                chosen.max_bytes,
                chosen.compressor,
            )
            for _ in work.reports():
                pass
            result = work.finish()
        name = work.task.quality_name if work.task else ""
        before, after = result["quality_before"], result["quality_after"]
        decoded = work.decoded
        return CompressedField(work.data, decoded, decoded.num_parameters, name, before, after)

    def plot(self) -> Drawing:
        """Loss and estimated quality over the seconds of training; the extra `study` draws it."""
        from fieldlr.pictures.curves import check_plotting
        from fieldlr.pictures.drawing import draw_history
        from fieldlr.runs.history import read_history

        check_plotting("matplotlib")
        path = self._run.folder / "history.jsonl"
        if not path.is_file():
            raise FieldlrError(
                f"{self._run.folder} keeps no history of its training. Plot the run it was made "
                "from."
            )
        reports = read_history(path)
        losses = [(r["seconds"], r["loss"]) for r in reports if r["loss"] is not None]
        known = [(r["seconds"], r["quality"]) for r in reports if r["quality"] is not None]
        measure = "PSNR in dB" if self._run.kind == "photos" else "IoU"
        return draw_history(self._title, losses, known, measure)

    @cached_property
    def _surface(self) -> Mesh:
        """What a shape is drawn by."""
        return self.mesh(resolution=RESOLUTION)

    @property
    def _run(self) -> Any:
        """The run itself, as the functions of this room take it."""
        return cast(Any, self)

    @property
    def _title(self) -> str:
        return f"{self._run.kind}, {self.field.config.linear.name}"

    @property
    def _facts(self) -> dict[str, Any]:
        """A short summary of a run."""
        facts: dict[str, Any] = {
            "kind": self._run.kind,
            "backbone": self.field.config.linear.name,
            "parameters": f"{self.field.num_parameters:,}",
        }
        results = getattr(self._run, "results", {}).get("fit", {})
        known = {"steps": "steps", "seconds": "seconds", "quality": self._measure}
        return facts | {words: results[key] for key, words in known.items() if key in results}

    @property
    def _measure(self) -> str:
        return "psnr_db" if self._run.kind == "photos" else "iou"

    def _repr_html_(self) -> str:
        try:
            image = self.render(size=None if self._run.kind != "photos" else self._thumbnail).rgb
        except FieldlrError:  # There may be no surface yet, or no camera.
            image = None
        return page(lines_of(self._facts), image)

    @property
    def _thumbnail(self) -> tuple[int, int]:
        """The size of a small view of the photos."""
        width, height = self.cameras.sizes[0].tolist()
        scale = min(1.0, 320 / max(width, height))
        return max(1, round(scale * width)), max(1, round(scale * height))
