"""The outputs of a batch item, each with its function and its files."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fieldlr.batch.item import Item
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.export.image import jpeg_bytes
from fieldlr.pictures.curves import check_plotting
from fieldlr.runs import Run, open_folder, pipeline
from fieldlr.runs.compress import Compression
from fieldlr.runs.mesh import mesh_run
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.previews import picture
from fieldlr.runs.render import render_run
from fieldlr.study.study import Study
from fieldlr.study.sweep import Sweep
from fieldlr.system.ffmpeg import find_ffmpeg
from fieldlr.system.json import write_json, write_whole
from fieldlr.system.options import leaves
from fieldlr.training.loop import FitConfig
from fieldlr.training.tasks import Task

# Yields progress in [0, 1]; returns figures for the report.
Making = Generator[float, None, dict[str, Any]]
THUMBNAIL_RESOLUTION = 128


@dataclass
class Workbench:
    """An item with its folder, run, field and task, opened when needed."""

    item: Item
    folder: Path
    opened: Task | None = None  # of a fit that has just been made

    @cached_property
    def run(self) -> Run:
        return open_folder(self.folder / "run")

    @cached_property
    def field(self) -> Any:  # a Field, whose package is not imported otherwise
        return self.run.load_field()

    @cached_property
    def task(self) -> Task:
        return self.opened or pipeline.reopen(self.run, Path(self.item.source))

    def asked(self, name: str, default: Any = None) -> Any:
        return self.item.making.get(name, default)


def make_eval(bench: Workbench) -> Making:
    resolution = bench.asked("resolution", 256)
    yield 0.0
    figures = pipeline.evaluate(bench.run, resolution=resolution, task=bench.task)
    write_json(bench.folder / "eval.json", figures)
    return {name: value for name, value in figures.items() if name != "per_view"}


def make_surface(bench: Workbench) -> Making:
    yield 0.0
    extraction = mesh_run(bench.run, MeshOptions(resolution=bench.asked("resolution", 256)))
    yield 0.8
    mesh = extraction.mesh
    write_mesh(mesh, bench.folder / "mesh.glb")
    counts = {"vertices": len(mesh.vertices), "faces": len(mesh.faces)}
    return {**counts, "watertight": mesh.is_watertight}


def make_render(bench: Workbench) -> Making:
    yield from _render(bench, "view.png", None)
    return {}


def make_video(bench: Workbench) -> Making:
    yield from _render(bench, "view.mp4", bench.asked("frames"))
    return {}


def _render(bench: Workbench, name: str, frames: int | None) -> Generator[float, None, None]:
    how = {name: bench.asked(name) for name in ("size", "background")}
    how["fps"] = bench.asked("fps", 30.0)
    rendering = render_run(bench.run, bench.folder / name, frames=frames, **how)
    # If this generator is closed, so is the rendering, which then leaves no file.
    with closing(rendering.frames) as pictures:
        for number, _ in enumerate(pictures):
            yield number / rendering.total


def make_file(bench: Workbench) -> Making:
    yield 0.0
    out, how = bench.folder / "field.flr", bench.item.file_options
    finetune = None if how.finetune is None else FitConfig(seconds=how.finetune)
    compression = Compression(
        bench.run, out, how.bits, None, finetune, bench.task, how.max_bytes, how.compressor
    )
    for report in compression.reports():
        yield 0.9 * report.progress
    figures = compression.finish()
    return {name: value for name, value in figures.items() if name != "out"}


def make_study(bench: Workbench) -> Making:
    item = bench.item
    asked = {name: item.making[name] for name in leaves(Sweep) if name in item.making}
    if "bits" in asked:
        asked["bits"] = (asked["bits"],)
    base = item.fit_options.replaced(backbone=None, rank=None)
    study = Study(Path(item.source), bench.folder / "study", base, Sweep.of(**asked))
    try:
        for report in study.reports():
            yield report.progress
    except GeneratorExit:
        study.checkpoint()
        raise
    study.save()
    return {"fits": len(study.entries)}


def make_thumbnail(bench: Workbench) -> Making:
    """A thumbnail for the report; none for a field without a surface."""
    yield 0.0
    try:
        image = picture(bench.run, bench.field, THUMBNAIL_RESOLUTION)
    except FieldlrError:
        return {}
    write_whole(bench.folder / "thumbnail.jpg", jpeg_bytes(image))
    return {}


def _no_check() -> None:
    """For outputs without optional dependencies."""


@dataclass(frozen=True)
class Output:
    make: Callable[[Workbench], Making]
    files: tuple[str, ...]  # in the item's folder
    check: Callable[[], Any] = _no_check  # raises FieldlrError if a dependency is missing


# In the order of making.
OUTPUTS = {
    "eval": Output(make_eval, ("eval.json",)),
    "compress": Output(make_file, ("field.flr",)),
    "mesh": Output(make_surface, ("mesh.glb",)),
    "render": Output(make_render, ("view.png",)),
    "video": Output(make_video, ("view.mp4",), find_ffmpeg),
    "study": Output(make_study, ("study/bd.json", "study/rd.html", "study/rd.svg"), check_plotting),
}
STEPS = OUTPUTS | {"thumbnail": Output(make_thumbnail, ("thumbnail.jpg",))}
