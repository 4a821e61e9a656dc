"""Previews of a fit in its run folder: the first early, then rarely enough to be cheap.

    preview.png  the view of a training camera, or the solid, as the field has it now
    photo.png    the photo of that view

A preview takes no training time: the clock of a fit counts its steps alone.
"""

from __future__ import annotations

from time import perf_counter

from fieldlr.data import Scene
from fieldlr.errors import FieldlrError
from fieldlr.export import write_image
from fieldlr.fields.field import Field
from fieldlr.runs import Run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.runs.planning import home_of, plan_views
from fieldlr.runs.views import Picture, Turn, turned, views
from fieldlr.training.tasks.radiance import RadianceTask

FIRST_SECONDS = 0.5
LEAST_SECONDS = 2.0
SHARE = 0.05  # of the time, at most
LONGEST_SIDE = 320
RESOLUTION, FINAL_RESOLUTION = 96, 192  # of the mesh that shows a solid


class Previews:
    """Call `look` after every report; it draws when it is time to."""

    def __init__(self, fit: Reconstruction):
        self.fit = fit
        self._photo()
        self.due = perf_counter() + FIRST_SECONDS

    def look(self) -> None:
        began = perf_counter()
        if began < self.due:
            return
        draw_preview(self.fit.run, self.fit.state.field, RESOLUTION)
        cost = perf_counter() - began
        self.due = began + max(LEAST_SECONDS, cost / SHARE)

    def last(self) -> None:
        """Draws the field as it is in the end."""
        draw_preview(self.fit.run, self.fit.state.field)

    def _photo(self) -> None:
        """Writes the photo that the previews are to be compared with, where there is one."""
        scene, task = self.fit.source.content, self.fit.task
        if not (isinstance(scene, Scene) and isinstance(task, RadianceTask)):
            return
        photo = task.held_out.small_photo(home_of(scene.cameras, scene.test), LONGEST_SIDE)
        write_image(photo.numpy(), self.fit.run.folder / "photo.png")


def draw_preview(run: Run, field: Field, resolution: int = FINAL_RESOLUTION) -> None:
    """Writes preview.png of a run; nothing where the field has no surface to be seen yet."""
    trains = field.training
    try:
        write_image(picture(run, field.eval(), resolution), run.folder / "preview.png")
    except FieldlrError:
        return
    finally:
        field.train(trains)


def picture(
    run: Run | FlrRun, field: Field, resolution: int, longest_side: int = LONGEST_SIDE
) -> Picture:
    """What stands for a run: the view of a training camera, or its solid from the side."""
    if run.kind == "photos":
        cameras = plan_views(run, field, None, 1).cameras
        scale = min(1.0, longest_side / int(cameras.sizes.max()))
        cameras = cameras.resized((cameras.sizes * scale).round().long().clamp_min(1))
    else:
        cameras = turned(run, field, Turn(), (longest_side, longest_side))
    return next(views(run, field, cameras, resolution)).rgb
