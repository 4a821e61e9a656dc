"""The Compare tab: rate-distortion curves of studies and of runs, their comparison and export."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.app.exports import export_folder, file_name
from fieldlr.app.forms import NO_POSES, option_flags, reading_flags
from fieldlr.app.labels import app_message, size_text
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import StoredSource, Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job
from fieldlr.metrics.bd import bd_table
from fieldlr.metrics.curve import Rate, RatePoint, RDCurve, RDPoint
from fieldlr.metrics.curve_file import read_curve, write_curve
from fieldlr.pictures.curve_page import figures_in_words
from fieldlr.pictures.curves import draw_svg
from fieldlr.runs import Run, open_folder
from fieldlr.runs.pipeline import reopen
from fieldlr.runs.previews import draw_preview
from fieldlr.study.drawing import IOU_LEVELS, limit_of, mark_of, plot_of
from fieldlr.study.files import Coding, StoredField, known_file, make_file
from fieldlr.study.sweep import Sweep, has_rank
from fieldlr.system.duration import duration
from fieldlr.system.files import replacing
from fieldlr.system.kinds import Switch
from fieldlr.system.options import leaves
from fieldlr.training.options import FitOptions

SIZES: dict[Rate, str] = {"bytes": "file size in bytes", "params": "number of parameters"}
LEVEL = 0.05  # dB, below which two curves are called level
MIN_POINTS = 2  # of a curve that can be compared
QUALITIES = {"psnr_db": "PSNR in dB", "iou": "overlap with the original (IoU)"}
# The chart and the table of a page request the same files at once: only one makes them.
MEASURING = threading.Lock()


def num_fits(sweep: Sweep) -> int:
    """The number of trainings in a study."""
    ranks = len(sweep.ranks)
    points = sum(ranks if has_rank(name) else 1 for name in sweep.backbones)
    return sweep.seeds * (points + ranks * sweep.narrow)


def cost(sweep: Sweep, seconds: float, overhead: float) -> str:
    """The duration of a study; `overhead` is the setup and measuring of each training."""
    fits, files = num_fits(sweep), len(sweep.all_bits)
    # Each file is decoded and measured like the field itself.
    whole = fits * (seconds + overhead * (1 + files))
    text = f"{fits} trainings of {duration(seconds)}: about {duration(whole)} with measuring."
    if len(sweep.ranks) < 2:
        text += " Select at least two detail levels to compare curves."
    return text


def start_study(workspace: Workspace, source: StoredSource, sweep: Sweep, base: FitOptions) -> str:
    """Queues a study; the job's id."""
    about = {"purpose": "study", "source": source.id, "source_name": source.name}
    about |= {"kind": source.kind, "num_fits": num_fits(sweep)}
    arguments = study_command(source, sweep, base)
    return workspace.store.submit(arguments, f"{source.name}, study", about).id


def study_command(source: StoredSource, sweep: Sweep, base: FitOptions) -> list[str]:
    """The arguments of `fieldlr study` for a sweep."""
    if source.kind == "unposed":
        raise FieldlrError(NO_POSES)
    arguments = ["study", str(source.path), "--out", "{job}/run"]
    for name, own in leaves(Sweep).items():
        value = getattr(sweep, name)
        if isinstance(own.kind, Switch):
            arguments += [] if value == own.default else [f"--{'' if value else 'no-'}{name}"]
        elif value is not None:
            arguments += [f"--{name}", own.kind.show(value)]
    return arguments + option_flags(base) + reading_flags(source, base)


def curves_of_study(workspace: Workspace, job: Job) -> list[RDCurve]:
    """The curves of a study so far, those of networks first."""
    files = sorted(workspace.run_folder(job).glob("*.json"))
    # Hidden files are being written, or were when their process was killed.
    own = [path for path in files if path.name != "bd.json" and not path.name.startswith(".")]
    curves = [read_curve(path) for path in own]
    return sorted(curves, key=lambda curve: not curve.has("params"))


def curves_of_runs(workspace: Workspace, jobs: Sequence[Job]) -> list[RDCurve]:
    """The .flr files of finished runs of one source as curves, one per backbone.

    A file that does not exist yet is made and measured first, which can take half a minute.
    """
    if len({job.about["source_name"] for job in jobs}) > 1:
        raise FieldlrError(
            "runs of different sources cannot be compared. Select runs of one source."
        )
    points: dict[str, list[RDPoint]] = {}
    for job in jobs:
        run = workspace.run(job.id)
        fit = run.results.get("fit", {})
        if fit.get("quality") is None:
            raise FieldlrError(f"{job.title} has not finished. Wait for it, or select another run.")
        twins = [other for other in jobs if other.title == job.title]
        title = job.title if len(twins) == 1 else f"{job.title}, no. {twins.index(job) + 1}"
        points.setdefault(fit["backbone"], []).append(_point(run, title, job.id))
    measure = "psnr_db" if any(job.about["kind"] == "photos" for job in jobs) else "iou"
    return [RDCurve(name, measure, tuple(own), "runs") for name, own in points.items()]


def _point(run: Run, title: str, job_id: str) -> RDPoint:
    with MEASURING:
        stored: StoredField | None = known_file(run, Coding())
        if stored is None:
            for _ in make_file(run, reopen(run), Coding(), seed=0):
                pass
            stored = known_file(run, Coding())
    if stored is None or stored.quality is None:
        raise FieldlrError(
            f"the quality of {title} is unknown. Train it again, or select another run."
        )
    place = f"{job_id}/{stored.file}"
    return RDPoint(title, stored.num_bytes, stored.num_parameters, stored.quality, 0, place)


def chart_data(curves: Sequence[RDCurve], rate: Rate, job_id: str = "") -> dict[str, Any]:
    """Curves as plain values for the chart, with the file of every point.

    A file is named as JOB/PATH: within the study `job_id`, or without one within its own job.
    """
    whole = [curve for curve in curves if curve.only_bits is None and curve.has(rate)]
    series = []
    for curve in whole:
        if curve.is_exact:
            continue
        marks, aside = (
            [_mark(curve, point, job_id) for point in points] for points in curve.front(rate)
        )
        named = {"name": curve.name, "about": curve.description, "dashed": curve.is_context}
        series.append(named | {"marks": marks, "aside": aside})
    limits = [dataclasses.asdict(limit_of(curve, rate)) for curve in whole if curve.is_exact]
    measure = curves[0].measure if curves else "psnr_db"
    # IoU is drawn on a logarithmic scale of 1 - IoU, and labelled with IoU itself.
    levels = IOU_LEVELS if measure == "iou" else []
    axes = {"x": SIZES[rate], "y": QUALITIES[measure], "levels": levels}
    return {"series": series, "limits": limits, **axes}


def _mark(curve: RDCurve, point: RatePoint, job_id: str) -> dict[str, Any]:
    files = [point.file for point in point.fits if point.file]
    places = [f"{job_id}/{file}" if job_id else file for file in files]
    return dataclasses.asdict(mark_of(curve, point)) | {"fits": places}


def bd_rows(curves: Sequence[RDCurve], rate: Rate) -> list[list[str]]:
    """A row per pair of curves: anchor, test, BD-rate, its interval, BD-quality, overlap."""
    whole = [curve for curve in curves if curve.only_bits is None and curve.has(rate)]
    fronts = {curve.name: len(curve.front(rate)[0]) for curve in whole}
    rows = []
    for row in bd_table(whole, rate):
        if "refused" in row:
            row["refused"] = app_message(row["refused"])
            for name in (row["anchor"], row["test"]):
                if fronts[name] < MIN_POINTS:
                    row["refused"] = (
                        f"{name} has {fronts[name]} point that no smaller file beats, and a "
                        f"comparison needs {MIN_POINTS}. Add detail levels."
                    )
        rows.append(figures_in_words(row))
    return rows


def at_one_size(curves: Sequence[RDCurve], rate: Rate) -> list[tuple[RDCurve, RatePoint]]:
    """A point of each curve of networks, all of nearly the same size; the best first.

    The size is the one that all curves come nearest to. Empty where there are fewer than two.
    """
    fronts = []
    for curve in curves:
        if curve.only_bits is None and curve.has(rate) and not curve.is_exact:
            points = [point for point in curve.front(rate)[0] if point.fits[0].file]
            fronts += [(curve, points)] if points else []
    if len(fronts) < 2:
        return []

    def off(point: RatePoint, size: float) -> float:
        return abs(math.log(point.rate / size))

    def nearest(points: list[RatePoint], size: float) -> RatePoint:
        return min(points, key=lambda point: off(point, size))

    sizes = [point.rate for _, points in fronts for point in points]
    size = min(sizes, key=lambda s: max(off(nearest(points, s), s) for _, points in fronts))
    chosen = [(curve, nearest(points, size)) for curve, points in fronts]
    return sorted(chosen, key=lambda one: -one[1].quality)


def in_a_sentence(chosen: Sequence[tuple[RDCurve, RatePoint]], rate: Rate) -> str:
    """What `at_one_size` found, in a sentence."""
    (best, point), *others = chosen
    sizes = [one.rate for _, one in chosen]
    low, high = (size_text(s) if rate == "bytes" else f"{s:,.0f}" for s in (min(sizes), max(sizes)))
    between = low if low == high else f"{low} to {high}"
    unit = "" if rate == "bytes" else " parameters"
    gaps = [(curve.name, point.quality - other.quality) for curve, other in others]
    words = [f"{n} is {gap:.1f} dB behind" if gap >= LEVEL else f"{n} is level" for n, gap in gaps]
    scale = "" if best.measure == "psnr_db" else " (in dB of 1 - IoU)"
    return f"At {between}{unit} **{best.name}** is best; {', '.join(words)}{scale}."


def export_curves(curves: Sequence[RDCurve], folder: Path, rate: Rate) -> list[Path]:
    """Writes the curves as one CSV, one JSON each and an SVG; their paths."""
    if not curves:
        raise FieldlrError("there is no curve to export yet. Wait for the first measurement.")
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
        paths.append(folder / curve.file_name)
        # The files of the points are not exported.
        points = tuple(dataclasses.replace(point, file="") for point in curve.points)
        write_curve(dataclasses.replace(curve, points=points), paths[-1])
    paths.append(folder / "curves.svg")
    draw_svg(plot_of(curves, "quality against size", rate), paths[-1])
    return paths


def fit_files(viewer: Viewer, place: str) -> tuple[Path | None, Path]:
    """(preview image, .flr file) of a point, copied to the folder for downloads."""
    job_id, _, inside = place.partition("/")
    workspace = viewer.workspace
    folder = workspace.store.path(job_id, "run").resolve()
    file = (folder / inside).resolve()
    if not (file.is_relative_to(folder) and file.suffix == ".flr" and file.exists()):
        raise FieldlrError("this file no longer exists. Reload the page.")
    run = open_folder(file.parent)
    if not (run.folder / "preview.png").exists():
        with viewer.busy:
            draw_preview(run, run.load_field())
    fit = "" if run.folder == folder else f"-{run.folder.name}"
    name = file_name(workspace.store.get(job_id), f"{fit}-{file.stem}")
    copies = []
    for original, suffix in ((run.folder / "preview.png", ".png"), (file, ".flr")):
        copy = export_folder(workspace, job_id) / f"{name}{suffix}"
        if original.exists():
            shutil.copyfile(original, copy)
        copies.append(copy if copy.exists() else None)
    return copies[0], copies[1]
