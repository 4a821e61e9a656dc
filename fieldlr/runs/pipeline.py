"""From a source to a run: open, make the task, fit, evaluate, save. Everything calls this."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from fieldlr.data import Scene, Source, open_source
from fieldlr.data.options import ReadingOptions
from fieldlr.data.photo_names import folder_from
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.runs import Run, check_new, create_run, open_folder, open_run
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.history import history
from fieldlr.runs.run import seen_from
from fieldlr.system import memory
from fieldlr.system.json import write_json
from fieldlr.system.version import __version__
from fieldlr.training.budgets import evaluation_budget, shortfall
from fieldlr.training.loop import FitConfig, FitReport, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, fit_config, make_task, preset_of
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import OccupancyTask, Task
from fieldlr.training.tasks.task import Preset

# A checkpoint comes so often that little is lost with the process, and takes at most this share of
# the time.
CHECKPOINT_SECONDS, CHECKPOINT_SHARE = (5.0, 60.0), 0.02


class Reconstruction:
    """A fit and its run folder: iterate over `reports` to train, then call `finish`.

    Stopping to pull is stopping: `checkpoint` keeps what is trained, and the same call with
    `resume` continues exactly where it stopped.
    """

    def __init__(
        self,
        source: Path | str | Source,
        out: Path | str,
        options: FitOptions | None = None,
        *,
        resume: bool = False,
    ):
        began = perf_counter()
        options, out = options or FitOptions(), Path(out)
        if options.reading.images is not None and not isinstance(source, Source):
            options = options.replaced(images=folder_from(Path(source), options.reading.images))
        device = choose_device(options.machine.device)
        known = open_folder(out) if resume and (out / "config.json").exists() else None
        if known is None:
            options = options.settled()
            check_new(out)  # before the source is read, which can take half a minute
        else:
            options = _remembered(known, options)
        memory_gib = options.machine.memory
        self.source = _opened(source, options.reading, memory_gib)
        check_memory(self.source, memory_gib)
        self.preset: Preset = preset_of(options, self.source.kind)
        self.config: FieldConfig = field_config(options, self.source.kind)
        self.fit_config: FitConfig = fit_config(options, self.source.kind)
        self.task: Task = make_task(self.source, options)
        self.state = start_fit(self.task, self.config, self.fit_config.seed, device)
        self.run = known or create_run(out, self._description(source, out, options))
        if known is not None:
            self._restore(options)
        scene = self.source.content
        if isinstance(scene, Scene):
            self.run.save_cameras(scene.cameras, scene.test)
        self.setup_seconds = perf_counter() - began

    def reports(self) -> Generator[FitReport, None, None]:
        """Trains; yields a few reports a second and saves a checkpoint now and then."""
        least, most = CHECKPOINT_SECONDS
        due = perf_counter() + least
        with history(self.run.folder / "history.jsonl", self.state.step) as add:
            for report in fit(self.state, self.fit_config):
                add(report)
                yield report
                if (began := perf_counter()) > due:
                    self.checkpoint()
                    cost = perf_counter() - began
                    due = began + min(max(least, cost / CHECKPOINT_SHARE), most)

    def checkpoint(self) -> None:
        """Saves the training state to resume from, and the field."""
        self.run.save_checkpoint(*self.state.save())
        self.run.save_field(self.state.field)
        if self.task.corrections is not None:
            self.run.save_corrections(self.task.corrections)

    def finish(self) -> dict[str, Any]:
        """Evaluates and saves the field; the results as the command line gives them.

        On a part of what `evaluate` measures, where all of it takes long beside the training.
        """
        self.checkpoint()
        field = self.state.field.eval()
        figures = self.task.evaluate(field, evaluation_budget(self.state.samples))
        results = {
            "run": str(self.run.folder),
            "kind": self.source.kind,
            "backbone": self.config.linear.name,
            "num_parameters": field.num_parameters,
            "steps": self.state.step,
            "samples": self.state.samples,
            "seconds": round(self.state.seconds, 3),
            "setup_seconds": round(self.setup_seconds, 3),
            "restarts": self.state.restarts,
            "setbacks": self.state.setbacks,
            "halvings": self.state.halvings,
            "quality": figures[self.task.quality_name],
            "measured_on": figures.get("measured_on"),
            **shortfall(self.state, self.fit_config, self.preset.outcomes.get("good", 0)),
        }
        self.run.add_results({"fit": results, "eval": figures})
        self.run.drop_checkpoint_before()
        return results | {"config": self.run.config}

    def _description(
        self, source: Path | str | Source, out: Path, options: FitOptions
    ) -> dict[str, Any]:
        """The run's config.json: plain values, the source as a path relative to the run."""
        field, content = self.state.field, self.source.content
        return {
            "fieldlr": __version__,
            "kind": self.source.kind,
            "source": None if isinstance(source, Source) else seen_from(source, out),
            "source_format": self.source.format,
            "content_hash": content.content_hash,
            "options": options.plain_fit(),
            "reading": options.reading.plain(),
            "field_kind": self.task.name,
            "field": self.config.to_json(),
            "space": dataclasses.asdict(field.space),
            "frame": dataclasses.asdict(field.frame),
            "task": dataclasses.asdict(self.task.settings),
            "background": getattr(self.task, "background", None),
            "warnings": list(content.warnings),
        }

    def _restore(self, options: FitOptions) -> None:
        _check_content(self.run, self.source)
        saved = self.run.load_checkpoint()
        if saved is not None:
            self.state.load(*saved)
        # Last: a run that cannot be resumed stays unchanged.
        self.run.config["options"] = options.plain_fit()
        write_json(self.run.folder / "config.json", self.run.config)


def _opened(source: Path | str | Source, reading: ReadingOptions, memory: float | None) -> Source:
    """The source of a path, or one that is open already."""
    if not isinstance(source, Source):
        return open_source(source, **reading.flat(), memory=memory)
    for name, value in reading.flat().items():
        if value is not None:
            raise FieldlrError(
                f"`{name}` is for sources that are read from a path; this one is made of arrays. "
                "Say it where the source is made, or reduce the arrays."
            )
    return source


def reconstruct(
    source: Path | str | Source,
    out: Path | str,
    options: FitOptions | None = None,
    resume: bool = False,
) -> Run:
    """Fits a source from beginning to end; the finished run. Arguments as `Reconstruction`."""
    reconstruction = Reconstruction(source, out, options, resume=resume)
    for _ in reconstruction.reports():
        pass
    reconstruction.finish()
    return reconstruction.run


def load(path: Path | str) -> Field:
    """The trained field in a run folder or a .flr file."""
    return open_run(path).load_field()


def evaluate(
    run: Run | FlrRun,
    source: Path | None = None,
    resolution: int = 256,
    task: Task | None = None,
) -> dict[str, Any]:
    """The full evaluation of a run against its source, or against `source` where it is now.

    A shape's mesh is judged at `resolution` samples along the longest edge. A `task` that is open
    already saves reading the source once more.
    """
    task = task or reopen(run, source)
    field = run.load_field()
    figures = task.evaluate(field)
    if isinstance(task, OccupancyTask) and isinstance(field, OccupancyField):
        figures |= task.evaluate_surface(field, resolution)
    run.add_results({"eval": figures})
    return figures


class SourceGone(FieldlrError):
    """The source of a run is not where it was, or not known."""


def reopen(run: Run | FlrRun, source: Path | None = None) -> Task:
    """The task that a run was fitted to, read again from its source or from where that is now."""
    source = source or run.source
    if source is None:
        raise SourceGone(
            f"{run.folder} does not say where its source is. Say where it is now: `source`."
        )
    if not Path(source).exists() and source == run.source:
        raise SourceGone(
            f"the source of {run.folder} is not at {source}, which is where it would be seen from "
            "the run: one of them was moved. Say where it is now: `source`."
        )
    data = open_source(source, **run.reading)
    _check_content(run, data)
    task = make_task(data, options_of(run))
    take_corrections(run, task)
    return task


def take_corrections(run: Run | FlrRun, task: Task) -> None:
    """Loads a run's learned photo corrections into a task, on the CPU like the field."""
    if task.corrections is not None and isinstance(run, Run):
        run.load_corrections(task.corrections.cpu())


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is some, else the CPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise FieldlrError(
            "the `device` cuda needs an NVIDIA GPU that torch can use; there is none here. "
            "Use auto, or see fieldlr doctor."
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def memory_estimate(source: Source) -> int:
    """Bytes that a fit of this source will take at most, roughly."""
    return memory.BASE_BYTES + source.content.fit_bytes


def check_memory(source: Source, limit_gib: float | None) -> None:
    """FieldlrError where a fit would take more memory than is allowed, or than there is."""
    most_bytes = None if limit_gib is None else int(limit_gib * 2**30)
    way_out = "Give photos a larger `downscale`, a mesh or volume a coarser grid, or allow more."
    memory.require(memory_estimate(source), most_bytes, way_out)


def _check_content(run: Run | FlrRun, source: Source) -> None:
    # A .flr file stores only the first digits.
    if not source.content.content_hash.startswith(run.content_hash):
        raise FieldlrError(
            f"{run.folder} was made from other data than {source.content.name} holds now. Give "
            "the right `source`, or train anew with another `out`."
        )


def options_of(run: Run | FlrRun) -> FitOptions:
    """The options that a run was fitted with."""
    return FitOptions.from_plain({**run.options, **run.reading})


def _remembered(run: Run, options: FitOptions) -> FitOptions:
    """A run's own options; what the user says now must agree, but for the end of the fit."""
    stored, ends = options_of(run), {}
    was = stored.of_the_fit() | stored.reading.flat()
    for name, value in (options.of_the_fit() | options.reading.flat()).items():
        if value in (None, was[name]):
            continue
        if name not in ("seconds", "steps"):
            before, now = _said(name, was[name]), _said(name, value)
            raise FieldlrError(
                f"{run.folder} was begun with {before}; got {now}. Leave it out to resume, or give "
                "another `out`."
            )
        ends[name] = value
    return dataclasses.replace(stored.replaced(**ends), machine=options.machine)


def _said(name: str, value: Any) -> str:
    return f"no `{name}`" if value is None else f"`{name}` {value}"
