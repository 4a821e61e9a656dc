"""A fit as a work item, `python -m fieldlr.runs.fits`, which resumes from a checkpoint."""

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
    """Fits, or goes on with it: yields how far it is, returns the fit and its results.

    Closed in the middle, it keeps what is trained.
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
    """A fit by what `fit_work` says; gives its results."""
    prepare_process()
    options = FitOptions.from_plain(settings["options"])
    source, out = Path(settings["source"]), Path(settings["out"])
    _, results = yield from fitting(source, out, options)
    return results


if __name__ == "__main__":
    serve(work)
