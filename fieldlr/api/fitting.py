"""Fitting from Python: to a run, with or without a folder of the caller's."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import tempfile
import weakref
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from fieldlr.api.line import Line
from fieldlr.data import Source
from fieldlr.errors import FieldlrError
from fieldlr.runs import Run
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.system.duration import duration
from fieldlr.system.process import prepared
from fieldlr.system.signatures import takes
from fieldlr.system.stopping import stop_requests
from fieldlr.training.options import FitOptions


@takes(FitOptions)
def fit(
    source: Source | Path | str,
    out: Path | str | None = None,
    *,
    resume: bool = False,
    progress: bool = True,
    **options: Any,
) -> Run:
    """Fits a field to a source, evaluates it, and returns the run.

    source: `fieldlr.photos(...)`, `fieldlr.mesh(...)`, `fieldlr.volume(...)`, or a path as the
    command line takes it. out: the run folder to make; without it the run lives as long as the
    object does, and `run.save(folder)` keeps it. resume: continues the run in `out`. progress:
    shows a line of progress. Ctrl-C, or the stop button of a notebook, ends the training between
    two steps: the run then has what is trained so far, without an evaluation.

    Raises FieldlrError for what you can fix: an unknown option (it names the nearest), a source
    that cannot be read, too little memory. Changes no setting of the process for longer than it
    takes. Source of the backbones: Ji et al. 2024; paper/reproduction.md.
    """
    chosen = FitOptions.of(**options)
    if resume and out is None:
        raise FieldlrError("`resume` continues the run in a folder. Give `out`.")
    line = Line(not progress)
    folder = Path(tempfile.mkdtemp("", "fieldlr-")) if out is None else Path(out)
    try:
        with prepared():
            fitting = Reconstruction(source, folder, chosen, resume=resume)
            results = _trained(fitting, line)
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    run = dataclasses.replace(fitting.run, task=fitting.task, temporary=out is None)
    if out is None:
        weakref.finalize(run, shutil.rmtree, folder, ignore_errors=True)
    line.say(_last_line(fitting, results))
    return run


def reconstruct(
    source: Source | Path | str, out: Path | str, resume: bool = False, **options: Any
) -> Run:
    """`fit` into a run folder, as `fieldlr fit` does it."""
    return fit(source, out, resume=resume, **options)


def _trained(fitting: Reconstruction, line: Line) -> dict[str, Any] | None:
    """Trains and evaluates; None where an interrupt came first, with what is trained kept."""
    for warning in fitting.source.content.warnings:
        line.say(f"note: {warning}")
    with stop_requests(signal.SIGINT) as stop, closing(fitting.reports()) as reports:
        for _ in line.shown(reports, fitting.task.quality_name):
            if stop.requested:
                fitting.checkpoint()
                return None
    line.say("evaluating")
    with suppress(KeyboardInterrupt):
        return fitting.finish()
    return None


def _last_line(fitting: Reconstruction, results: dict[str, Any] | None) -> str:
    state, name = fitting.state, fitting.task.quality_name
    took = f"{state.step:,} steps in {duration(state.seconds)}"
    if results is None:
        return f"interrupted after {took}: what is trained is kept, and not yet evaluated"
    return f"{name} {results['quality']:.4g} after {took}, {results['num_parameters']:,} parameters"
