"""The compare tab: studies and runs as curves of quality against size, and what may be exported."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.files import replacing
from fieldlr.jobs import Job
from fieldlr.pictures.curves import draw_svg
from fieldlr.previews import draw_preview
from fieldlr.progress import duration
from fieldlr.runs import open_run
from fieldlr.study import RDCurve, RDPoint, read_curve, write_curve
from fieldlr.study.curve import Rate
from fieldlr.study.study import AXES, bd_table, series_of
from fieldlr.study.sweep import BYTES_PER_NUMBER, fit_name
from fieldlr.ui.forms import Choice, reading_words
from fieldlr.ui.takeaway import export_folder
from fieldlr.ui.views import Viewer
from fieldlr.ui.workspace import BroughtSource, Workspace

RATES = {"params": "parameters", "bytes": "bytes"}
# What a fit of a study takes beside its training: reading, evaluating, saving.
OVERHEAD_SECONDS = {"photos": 15.0, "mesh": 20.0, "volume": 20.0}


@dataclass(frozen=True)
class Plan:
    """A study that somebody has in mind."""

    backbones: Sequence[str]
    ranks: Sequence[int]
    seeds: int
    seconds: float  # of training, for each fit
    narrow: bool

    @property
    def num_fits(self) -> int:
        dense = "full" in self.backbones
        factorised = len(self.backbones) - dense + self.narrow
        return self.seeds * (dense + factorised * len(self.ranks))

    def cost(self, kind: str) -> str:
        """What it will take, in a sentence."""
        whole = self.num_fits * (self.seconds + OVERHEAD_SECONDS.get(kind, 20.0))
        return f"{self.num_fits} fits of {duration(self.seconds)}: about {duration(whole)} in all."


def begin(workspace: Workspace, source: BroughtSource, plan: Plan, choice: Choice) -> str:
    """Queues a study; the job's id."""
    if source.kind == "unposed":
        raise FieldlrError("these photos have no poses yet. Find poses first, on the Start tab.")
    if plan.num_fits == 0:
        raise FieldlrError("a study needs a backbone, and ranks where the backbone has one.")
    words = ["study", str(source.path), "--out", "{job}/run"]
    words += ["--backbones", ",".join(plan.backbones), "--ranks", ",".join(map(str, plan.ranks))]
    words += ["--seeds", str(plan.seeds), "--seconds", f"{plan.seconds:g}"]
    words += ["--narrow"] * plan.narrow + reading_words(source, choice)
    about = {"purpose": "study", "source": source.id, "source_name": source.name}
    about |= {"kind": source.kind, "num_fits": plan.num_fits}
    return workspace.store.submit(words, f"{source.name}, study", about).id


def study_curves(workspace: Workspace, job: Job) -> list[RDCurve]:
    """The curves of what a study has done so far."""
    files = sorted(workspace.run_folder(job).glob("*.json"))
    # A hidden one is on its way, or was when the process that wrote it was killed.
    own = [path for path in files if path.name != "bd.json" and not path.name.startswith(".")]
    return [read_curve(path) for path in own]


def runs_curves(workspace: Workspace, jobs: Sequence[Job]) -> list[RDCurve]:
    """Finished trainings of one source as curves, one a backbone."""
    if len({job.about["source_name"] for job in jobs}) > 1:
        raise FieldlrError("runs of different sources cannot be compared. Pick runs of one.")
    points: dict[str, list[RDPoint]] = {}
    for job in jobs:
        fit = workspace.run(job.id).results.get("fit", {})
        if fit.get("quality") is None:
            raise FieldlrError(f"{job.title} is not finished and has no quality yet.")
        numbers = fit["num_parameters"]
        twins = [other for other in jobs if other.title == job.title]
        title = job.title if len(twins) == 1 else f"{job.title}, no. {twins.index(job) + 1}"
        point = RDPoint(title, BYTES_PER_NUMBER * numbers, numbers, fit["quality"], 0)
        points.setdefault(fit["backbone"], []).append(point)
    measures = {"psnr_db" if job.about["kind"] == "photos" else "iou" for job in jobs}
    return [RDCurve(name, *measures, tuple(own), "runs") for name, own in points.items()]


def drawn(curves: Sequence[RDCurve], rate: Rate, folder: str = "") -> dict[str, Any]:
    """Curves as the page draws them: plain values, every fit with where it can be seen."""
    series = []
    for curve in curves:
        marks = []
        for label, fits in curve.groups():
            qualities = [curve.quality(p) for p in fits]
            mean = sum(p.figure for p in fits) / len(fits)
            shown = f"{mean:.2f} dB" if curve.measure == "psnr_db" else f"IoU {mean:.4f}"
            names = [fit_name(curve.name, label, p.seed) for p in fits]
            marks.append(
                {
                    "x": fits[0].rate(rate),
                    "y": sum(qualities) / len(qualities),
                    "low": min(qualities),
                    "high": max(qualities),
                    "text": f"{curve.name} {label}: {fits[0].rate(rate):,} {RATES[rate]}, {shown}",
                    "fits": [f"{folder}/{name}" for name in names] if folder else [],
                }
            )
        series.append({"name": curve.name, "marks": marks})
    measure = curves[0].measure if curves else "psnr_db"
    return {"series": series, "x": RATES[rate], "y": AXES[measure]}


def bd_rows(curves: Sequence[RDCurve]) -> list[list[str]]:
    """A row for each pair of curves: anchor, test, BD-rate, its interval, BD-quality, overlap."""
    rows = []
    for row in bd_table(curves):
        pair = [row["anchor"], row["test"]]
        if "refused" in row:
            rows.append([*pair, row["refused"], "", "", ""])
            continue
        interval = row["interval"]
        between = "one seed" if interval is None else "{:+.1f} to {:+.1f} %".format(*interval)
        figures = [f"{row['bd_rate_percent']:+.1f} %", between, f"{row['bd_quality_db']:+.2f} dB"]
        rows.append([*pair, *figures, f"{100 * row['overlap']:.0f} %"])
    return rows


def export_curves(curves: Sequence[RDCurve], folder: Path, rate: Rate) -> list[Path]:
    """Writes the curves as one CSV, a JSON each and an SVG; their paths."""
    if not curves:
        raise FieldlrError("there is no curve to export yet.")
    rows = [
        {"curve": c.name, "point": p.point, "bytes": p.num_bytes, "params": p.num_parameters}
        | {c.measure: p.figure, "seed": p.seed}
        for c in curves
        for p in c.points
    ]
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    with replacing(folder / "curves.csv") as place:
        place.write_text(text.getvalue())
    paths = [folder / "curves.csv"]
    for curve in curves:
        paths.append(folder / f"{curve.name.replace(' ', '-')}.json")
        write_curve(curve, paths[-1])
    paths.append(folder / "curves.svg")
    words = "quality against size", RATES[rate], AXES[curves[0].measure]
    draw_svg([series_of(curve) for curve in curves], paths[-1], *words)
    return paths


def fit_files(viewer: Viewer, place: str) -> tuple[Path | None, Path]:
    """(a picture, the field's file) of a study's fit, copied to where they may be fetched."""
    study_id, _, name = place.partition("/")
    workspace = viewer.workspace
    folder = workspace.store.path(study_id, "run") / "fits" / name
    if "/" in name or ".." in name or not (folder / "field.safetensors").exists():
        raise FieldlrError("that fit is no longer here.")
    run = open_run(folder)
    if not (folder / "preview.png").exists():
        with viewer.busy:
            draw_preview(run, run.load_field())
    exports = export_folder(workspace, study_id)
    copies = []
    for file, suffix in (("preview.png", ".png"), ("field.safetensors", ".safetensors")):
        copy = exports / f"{name}{suffix}"
        if (folder / file).exists():
            shutil.copyfile(folder / file, copy)
        copies.append(copy if copy.exists() else None)
    return copies[0], copies[1]
