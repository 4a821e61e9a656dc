"""A fit as a task of a worker, `python -m fieldlr.runs.fits`; it resumes from a checkpoint."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from fieldlr.jobs.workers.work import Data, WorkItem, serve
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.system.process import prepare_process
from fieldlr.training.options import FitOptions


def fit_work(name: str, source: Path, out: Path, options: FitOptions) -> WorkItem:
    """The work of fitting a source in the run folder `out`."""
    paths = {"source": str(Path(source).resolve()), "out": str(Path(out).resolve())}
    settings = {**paths, "options": options.plain()}
    return WorkItem(name, "fieldlr.runs.fits", settings)


def fitting(
    source: Path, out: Path, options: FitOptions
) -> Generator[Data, None, tuple[Reconstruction, dict[str, Any]]]:
    """Starts or resumes a fit: yields its progress, returns the fit and its results.

    Closing the generator early saves a checkpoint.
    """
    yield {"step": "open", "share": 0.0}
    fit = Reconstruction(source, out, options, resume=True)
    try:
        for report in fit.reports():
            yield {"step": "fit", "share": report.progress, "quality": report.quality}
    except GeneratorExit:
        fit.checkpoint()
        raise
    yield {"step": "evaluate", "share": 1.0}
    return fit, fit.finish()


def work(settings: Data) -> Generator[Data, None, Data]:
    """Runs the fit that `fit_work` describes; returns its results."""
    prepare_process()
    options = FitOptions.from_plain(settings["options"])
    source, out = Path(settings["source"]), Path(settings["out"])
    _, results = yield from fitting(source, out, options)
    return results


if __name__ == "__main__":
    serve(work)
