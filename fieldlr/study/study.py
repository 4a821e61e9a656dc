"""A study in one folder: fits, files, curves, BD figures and plots, updated after each fit."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import Executor
from fieldlr.metrics.bd import bd_table
from fieldlr.metrics.curve import RDCurve
from fieldlr.metrics.curve_file import write_curve
from fieldlr.pictures.curve_page import write_page
from fieldlr.pictures.curves import check_plotting, draw_svg
from fieldlr.runs import Run, open_folder
from fieldlr.runs.fits import fit_work
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.study.baselines import Search, searches
from fieldlr.study.drawing import plot_of
from fieldlr.study.files import Coding, StoredField, known_file, make_file
from fieldlr.study.results import Measured, curves_of
from fieldlr.study.sweep import Entry, Sweep, finished, plan
from fieldlr.study.sweeps import earlier_sweeps, remember, share_curves
from fieldlr.system.files import make_folder
from fieldlr.system.json import write_json
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import make_task

TRAINING = "training"
TRAINING_SHARE = 0.9  # of a fit; its evaluation and its files are the rest


@dataclass(frozen=True)
class StudyReport:
    """The status of a study."""

    title: str  # of the current fit or baseline
    doing: str  # the current activity
    index: int  # of the current one, from 0, among all fits and baselines
    total: int
    share: float  # of the current one that is done, in [0, 1]
    quality: float | None = None  # a quick estimate for the fit in training
    seconds_left: float | None = None  # of training, over all remaining fits

    @property
    def progress(self) -> float:
        """The share of the study that is done, in [0, 1]."""
        return (self.index + self.share) / self.total


class Study:
    """Iterate over `reports` to run; stop iterating to cancel. A study resumes from its folder."""

    def __init__(
        self,
        source: Path,
        out: Path,
        base: FitOptions,
        sweep: Sweep,
    ):
        check_plotting()
        opened = open_source(source, **base.reading.flat(), memory=base.machine.memory)
        if opened.kind == "photos" and base.network.encoding is None:
            # A feature grid would hold the scene whatever the rank of the small network after it.
            base = base.replaced(encoding="frequency")
        base = base.settled()
        self.task = make_task(opened, base)
        self.source, self.out = source, Path(out)
        self.measure, self.name = self.task.quality_name, opened.content.name
        self.entries = plan(opened.kind, base, sweep)
        self.codings = [Coding(bits, sweep.finetuning(base)) for bits in sweep.all_bits]
        make_folder(self.out)
        self.base, self.sweeps = base, [sweep, *earlier_sweeps(self.out, base, sweep)]
        shown = [one for one in self.sweeps if share_curves(one, sweep)]
        # The files on the curves, including those of earlier sweeps, which are not recreated.
        self.files = dict.fromkeys(
            (entry, Coding(bits, one.finetuning(base)))
            for one in shown
            for entry in plan(opened.kind, base, one)
            for bits in one.all_bits
        )
        content_hash = opened.content.content_hash
        self.current_fit: Reconstruction | None = None
        self.runs: dict[Entry, Run] = {}
        self.stored: dict[tuple[Entry, Coding], StoredField] = {}
        for entry in dict.fromkeys(entry for entry, _ in self.files):
            self._find_results(entry, content_hash)
        self.baselines: list[Search] = []
        self.warnings: list[str] = []
        if sweep.classic:
            about = {"content_hash": content_hash, **base.reading.flat()}
            self.baselines, self.warnings = searches(self.task, self.out / "classics", about)

    def folder(self, entry: Entry) -> Path:
        return self.out / "fits" / entry.name

    @property
    def done(self) -> list[Entry]:
        """The fits that are trained and whose files are all measured."""
        return [e for e in self.entries if all((e, c) in self.stored for c in self.codings)]

    def reports(self, carry: Executor | None = None) -> Generator[StudyReport, None, None]:
        """Does all missing work; results are saved after each fit and baseline.

        With `carry`, fits run in parallel in subprocesses, on this machine or a cluster.
        """
        total = len(self.baselines) + len(self.entries)
        for index, search in enumerate(self.baselines):
            label = ""
            for label in search.reports():
                share = len(search.tries) / (len(search.tries) + len(search.missing()))
                yield StudyReport(search.baseline.name, label, index, total, share)
            if label:
                self.save()
        if carry is not None:
            yield from self._spread(carry)
        done = self.done
        for index, entry in enumerate(self.entries):
            if entry in done:
                continue
            title = entry.title
            place = len(self.baselines) + index, total
            if entry not in self.runs:
                yield from self._train(entry, title, place)
            yield from self._store(entry, title, place)
            self.save()

    def checkpoint(self) -> None:
        """Writes a checkpoint of the current fit."""
        if self.current_fit is not None:
            self.current_fit.checkpoint()

    def curves(self) -> list[RDCurve]:
        """The curves of all results, baselines last."""
        known = [Measured(*one, self.stored[one]) for one in self.files if one in self.stored]
        baselines = [search.curve() for search in self.baselines]
        own = curves_of(known, self.measure, self.name)
        return [*own, *(curve for curve in baselines if curve is not None)]

    def save(self) -> dict[str, Any]:
        """Writes a JSON per curve, bd.json, rd.svg and rd.html; returns the BD figures."""
        remember(self.out, self.base, self.sweeps)
        curves = self.curves()
        for curve in curves:
            write_curve(curve, self.out / curve.file_name)
        figures = bd_table(curves)
        write_json(self.out / "bd.json", figures)
        plot = plot_of(curves, f"{self.name}: quality by file size")
        draw_svg(plot, self.out / "rd.svg")
        write_page(plot, figures, self.out / "rd.html")
        return {"curves": [c.name for c in curves], "bd": figures}

    def _find_results(self, entry: Entry, content_hash: str) -> None:
        """Finds the results of a fit from an earlier process."""
        run = finished(entry, self.folder(entry), content_hash)
        if run is None:
            return
        self.runs[entry] = run
        known = {one: known_file(run, one) for entry_of, one in self.files if entry_of == entry}
        self.stored |= {(entry, coding): file for coding, file in known.items() if file}

    def _train(self, entry: Entry, title: str, place: tuple[int, int]) -> Iterator[StudyReport]:
        self.current_fit = Reconstruction(
            self.source, self.folder(entry), entry.options, resume=True
        )
        for report in self.current_fit.reports():
            left = self._seconds_left(entry, report.seconds, report.seconds_left)
            share = TRAINING_SHARE * report.progress
            yield StudyReport(title, TRAINING, *place, share, report.quality, left)
        self.current_fit.finish()
        self.runs[entry], self.current_fit = self.current_fit.run, None

    def _spread(self, carry: Executor) -> Iterator[StudyReport]:
        """Runs all missing fits by `carry`, and makes the files of each when it is done."""
        missing = {entry.name: entry for entry in self.entries if entry not in self.runs}
        works = [
            fit_work(entry.name, self.source, self.folder(entry), entry.options)
            for entry in missing.values()
        ]
        total = len(self.baselines) + len(self.entries)
        report = StudyReport("fits", "waiting", len(self.baselines), total, 0.0)
        with closing(carry(works)) as events:
            for event in events:
                if event is not None:
                    entry, place = (
                        missing[event.name],
                        (len(self.baselines) + len(self.done), total),
                    )
                    if event.kind == "failed":
                        raise FieldlrError(f"{entry.title}: {event.data['error']}")
                    if event.kind == "progress":
                        share = TRAINING_SHARE * event.data["share"]
                        quality = event.data.get("quality")
                        report = StudyReport(entry.title, TRAINING, *place, share, quality)
                    if event.kind == "done":
                        self.runs[entry] = open_folder(self.folder(entry))
                        yield from self._store(entry, entry.title, place)
                        self.save()
                yield report

    def _store(self, entry: Entry, title: str, place: tuple[int, int]) -> Iterator[StudyReport]:
        run = self.runs[entry]
        missing = [c for c in self.codings if (entry, c) not in self.stored]
        for number, coding in enumerate(missing):
            share = TRAINING_SHARE + (1.0 - TRAINING_SHARE) * number / len(missing)
            yield StudyReport(title, coding.name, *place, share)
            for report in make_file(run, self.task, coding, entry.seed):
                yield StudyReport(title, coding.name, *place, share, report.quality)
            stored = known_file(run, coding)
            if stored is not None:
                self.stored[entry, coding] = stored
        yield StudyReport(title, "measured", *place, 1.0)

    def _seconds_left(self, entry: Entry, seconds: float, own_left: float | None) -> float | None:
        if own_left is None:
            return None
        later = self.entries[self.entries.index(entry) + 1 :]
        return own_left + (seconds + own_left) * sum(one not in self.runs for one in later)
