"""A whole study in one folder: fits, curves, BD figures and plots, growing as fits end."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.pictures.curves import Mark, Series, check_plotting, draw_html, draw_svg
from fieldlr.pipeline import Reconstruction
from fieldlr.presets import FitOptions, make_task
from fieldlr.runs import Run, make_folder, write_json
from fieldlr.study.bd import bd_figure
from fieldlr.study.curve import RDCurve, write_curve
from fieldlr.study.sweep import Entry, curves_of, finished, plan
from fieldlr.training import FitReport

AXES = {
    "psnr_db": "PSNR, dB",
    "iou": "-10 log10(1 - IoU), dB",
}


@dataclass(frozen=True)
class StudyReport:
    """Where a study stands."""

    entry: Entry
    index: int  # of the fit under way, from 0
    total: int
    fit: FitReport
    seconds_left: float | None  # of training, over all fits to come

    @property
    def progress(self) -> float:
        """In [0, 1]: the share of the fits that is done."""
        return (self.index + self.fit.progress) / self.total


class Study:
    """Pull `reports` to go on; stop pulling to stop: the same study continues from its folder."""

    def __init__(
        self,
        source: Path,
        out: Path,
        base: FitOptions,
        backbones: Sequence[str],
        ranks: Sequence[int],
        seeds: int = 1,
        narrow: bool = False,
        **reading,
    ):
        check_plotting()
        opened = open_source(source, reading.get("downscale"), reading.get("grid"))
        if opened.kind == "photos" and base.encoding is None:
            # A grid would hold the scene whatever the rank of the small network behind it.
            base = dataclasses.replace(base, encoding="frequency")
        base = base.settled()
        task = make_task(opened, base)
        self.source, self.out, self.reading = source, Path(out), reading
        self.measure, self.name = task.quality_name, opened.content.name
        self.entries = plan(task, opened.kind, base, backbones, ranks, seeds, narrow)
        make_folder(self.out)
        self.under_way: Reconstruction | None = None
        self.done: dict[Entry, Run] = {}
        about = {"content_hash": opened.content.content_hash}
        self.about = about | {name: reading.get(name) for name in ("downscale", "grid")}
        for entry in self.entries:
            run = finished(entry, self.folder(entry), self.about)
            if run is not None:
                self.done[entry] = run

    def folder(self, entry: Entry) -> Path:
        return self.out / "fits" / entry.name

    def reports(self) -> Iterator[StudyReport]:
        """Does every fit that is missing; what is known is saved after each."""
        for index, entry in enumerate(self.entries):
            if entry in self.done:
                continue
            self.under_way = Reconstruction(
                self.source, self.folder(entry), entry.options, resume=True, **self.reading
            )
            for report in self.under_way.reports():
                left = self._seconds_left(report, self.entries[index + 1 :])
                yield StudyReport(entry, index, len(self.entries), report, left)
            self.under_way.finish()
            self.done[entry], self.under_way = self.under_way.run, None
            self.save()

    def checkpoint(self) -> None:
        """Keeps what is trained of the fit under way."""
        if self.under_way is not None:
            self.under_way.checkpoint()

    def curves(self) -> list[RDCurve]:
        """The curves of what is done."""
        done = [(entry, self.done[entry]) for entry in self.entries if entry in self.done]
        return curves_of(done, self.measure, f"{self.name}, measured by fieldlr")

    def save(self) -> dict[str, Any]:
        """Writes a JSON a curve, bd.json, rd.svg and rd.html; gives the BD figures."""
        curves = self.curves()
        for curve in curves:
            write_curve(curve, self.out / f"{curve.name.replace(' ', '-')}.json")
        figures = bd_table(curves)
        write_json(self.out / "bd.json", figures)
        drawn = [series_of(curve) for curve in curves]
        words = f"{self.name}: quality against size", "parameters", AXES[self.measure]
        draw_svg(drawn, self.out / "rd.svg", *words)
        draw_html(drawn, self.out / "rd.html", *words)
        return {"curves": [c.name for c in curves], "bd": figures}

    def _seconds_left(self, report: FitReport, later: Sequence[Entry]) -> float | None:
        if report.seconds_left is None:
            return None
        whole = report.seconds + report.seconds_left
        return report.seconds_left + whole * sum(entry not in self.done for entry in later)


def bd_table(curves: Sequence[RDCurve]) -> list[dict[str, Any]]:
    """BD figures of every pair of curves, or in a sentence why there is none."""
    table = []
    for anchor, test in itertools.permutations(curves, 2):
        row: dict[str, Any] = {"anchor": anchor.name, "test": test.name}
        try:
            row |= dataclasses.asdict(bd_figure(anchor, test, rate="params"))
        except FieldlrError as error:
            row["refused"] = str(error)
        table.append(row)
    return table


def series_of(curve: RDCurve) -> Series:
    """A curve as a plot shows it: the mean over the seeds and their whole range."""
    marks = []
    for label, fits in curve.groups():
        qualities = [curve.quality(p) for p in fits]
        figures = [p.figure for p in fits]
        mean = sum(figures) / len(figures)
        shown = f"{mean:.2f} dB" if curve.measure == "psnr_db" else f"IoU {mean:.4f}"
        size = fits[0].num_parameters
        marks.append(
            Mark(
                x=float(size),
                y=sum(qualities) / len(qualities),
                low=min(qualities),
                high=max(qualities),
                text=f"{label}: {size:,} parameters, {shown}, {len(fits)} seed(s)",
            )
        )
    return Series(curve.name, marks)
