"""A whole study in one folder: fits, files, curves, BD figures and plots, growing as fits end."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import Carry
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
    """Where a study stands."""

    title: str  # of what is under way: a fit, or a classic
    doing: str  # with it
    index: int  # of it, from 0, of all fits and classics
    total: int
    share: float  # of it that is done, in [0, 1]
    quality: float | None = None  # a quick estimate of what is being trained
    seconds_left: float | None = None  # of training, over all fits to come

    @property
    def progress(self) -> float:
        """In [0, 1]: the share of the study that is done."""
        return (self.index + self.share) / self.total


class Study:
    """Pull `reports` to go on; stop pulling to stop: the same study continues from its folder."""

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
            # A grid would hold the scene whatever the rank of the small network behind it.
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
        # The files on the curves: those of earlier sweeps too, which are not made if they are gone.
        self.files = dict.fromkeys(
            (entry, Coding(bits, one.finetuning(base)))
            for one in shown
            for entry in plan(opened.kind, base, one)
            for bits in one.all_bits
        )
        content_hash = opened.content.content_hash
        self.under_way: Reconstruction | None = None
        self.runs: dict[Entry, Run] = {}
        self.stored: dict[tuple[Entry, Coding], StoredField] = {}
        for entry in dict.fromkeys(entry for entry, _ in self.files):
            self._look_for(entry, content_hash)
        self.classics: list[Search] = []
        self.warnings: list[str] = []
        if sweep.classic:
            about = {"content_hash": content_hash, **base.reading.flat()}
            self.classics, self.warnings = searches(self.task, self.out / "classics", about)

    def folder(self, entry: Entry) -> Path:
        return self.out / "fits" / entry.name

    @property
    def done(self) -> list[Entry]:
        """The fits that are trained and of which all files are measured."""
        return [e for e in self.entries if all((e, c) in self.stored for c in self.codings)]

    def reports(self, carry: Carry | None = None) -> Generator[StudyReport, None, None]:
        """Does everything that is missing; what is known is saved after each fit and classic.

        With `carry`, of this machine or a cluster, processes make the fits, several at a time.
        """
        total = len(self.classics) + len(self.entries)
        for index, search in enumerate(self.classics):
            label = ""
            for label in search.reports():
                share = len(search.tries) / (len(search.tries) + len(search.missing()))
                yield StudyReport(search.classic.name, label, index, total, share)
            if label:
                self.save()
        if carry is not None:
            yield from self._spread(carry)
        done = self.done
        for index, entry in enumerate(self.entries):
            if entry in done:
                continue
            title = entry.title
            place = len(self.classics) + index, total
            if entry not in self.runs:
                yield from self._train(entry, title, place)
            yield from self._store(entry, title, place)
            self.save()

    def checkpoint(self) -> None:
        """Keeps what is trained of the fit under way."""
        if self.under_way is not None:
            self.under_way.checkpoint()

    def curves(self) -> list[RDCurve]:
        """The curves of what is done, the classics last."""
        known = [Measured(*one, self.stored[one]) for one in self.files if one in self.stored]
        classics = [search.curve() for search in self.classics]
        own = curves_of(known, self.measure, self.name)
        return [*own, *(curve for curve in classics if curve is not None)]

    def save(self) -> dict[str, Any]:
        """Writes a JSON a curve, bd.json, rd.svg and rd.html; gives the BD figures."""
        remember(self.out, self.base, self.sweeps)
        curves = self.curves()
        for curve in curves:
            write_curve(curve, self.out / curve.file_name)
        figures = bd_table(curves)
        write_json(self.out / "bd.json", figures)
        plot = plot_of(curves, f"{self.name}: what a file of so many bytes is worth")
        draw_svg(plot, self.out / "rd.svg")
        write_page(plot, figures, self.out / "rd.html")
        return {"curves": [c.name for c in curves], "bd": figures}

    def _look_for(self, entry: Entry, content_hash: str) -> None:
        """Finds what an earlier process has done of a fit."""
        run = finished(entry, self.folder(entry), content_hash)
        if run is None:
            return
        self.runs[entry] = run
        known = {one: known_file(run, one) for entry_of, one in self.files if entry_of == entry}
        self.stored |= {(entry, coding): file for coding, file in known.items() if file}

    def _train(self, entry: Entry, title: str, place: tuple[int, int]) -> Iterator[StudyReport]:
        self.under_way = Reconstruction(self.source, self.folder(entry), entry.options, resume=True)
        for report in self.under_way.reports():
            left = self._seconds_left(entry, report.seconds, report.seconds_left)
            share = TRAINING_SHARE * report.progress
            yield StudyReport(title, TRAINING, *place, share, report.quality, left)
        self.under_way.finish()
        self.runs[entry], self.under_way = self.under_way.run, None

    def _spread(self, carry: Carry) -> Iterator[StudyReport]:
        """Makes all fits by works, and of each, once it is there, its files."""
        missing = {entry.name: entry for entry in self.entries if entry not in self.runs}
        works = [
            fit_work(entry.name, self.source, self.folder(entry), entry.options)
            for entry in missing.values()
        ]
        total = len(self.classics) + len(self.entries)
        report = StudyReport("fits", "waiting", len(self.classics), total, 0.0)
        with closing(carry(works)) as events:
            for event in events:
                if event is not None:
                    entry, place = missing[event.name], (len(self.classics) + len(self.done), total)
                    if event.kind == "failed":
                        raise FieldlrError(f"{entry.title}: {event.told['error']}")
                    if event.kind == "progress":
                        share = TRAINING_SHARE * event.told["share"]
                        quality = event.told.get("quality")
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
