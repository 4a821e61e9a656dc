"""The compare tab: studies and runs as curves of quality against size, and what may be exported."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fieldlr.app.forms import option_words, reading_words
from fieldlr.app.takeaway import export_folder, file_name
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import BroughtSource, Workspace
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
from fieldlr.study.drawing import AXES, RATES, limit_of, mark_of, plot_of
from fieldlr.study.files import Coding, StoredField, known_file, make_file
from fieldlr.study.sweep import Sweep, has_rank
from fieldlr.system.duration import duration
from fieldlr.system.files import replacing
from fieldlr.system.kinds import Switch
from fieldlr.system.options import leaves
from fieldlr.training.options import FitOptions

# What a fit of a study takes beside its training: reading and saving; and what each of its files.
OVERHEAD_SECONDS = {"photos": 15.0, "mesh": 20.0, "volume": 20.0}
FILE_SECONDS = 15.0
# The curves and the table of a page want the same files at the same time: one of them makes them.
MEASURING = threading.Lock()


def num_fits(sweep: Sweep) -> int:
    """How many fits a study makes."""
    ranks = len(sweep.ranks)
    points = sum(ranks if has_rank(name) else 1 for name in sweep.backbones)
    return sweep.seeds * (points + ranks * sweep.narrow)


def cost(sweep: Sweep, seconds: float, kind: str) -> str:
    """What a study will take, in a sentence."""
    fits, files = num_fits(sweep), len(sweep.all_bits)
    whole = fits * (seconds + OVERHEAD_SECONDS.get(kind, 20.0) + FILE_SECONDS * files)
    return f"{fits} fits of {duration(seconds)}: about {duration(whole)} in all."


def begin(workspace: Workspace, source: BroughtSource, sweep: Sweep, base: FitOptions) -> str:
    """Queues a study; the job's id."""
    about = {"purpose": "study", "source": source.id, "source_name": source.name}
    about |= {"kind": source.kind, "num_fits": num_fits(sweep)}
    words = study_words(source, sweep, base)
    return workspace.store.submit(words, f"{source.name}, study", about).id


def study_words(source: BroughtSource, sweep: Sweep, base: FitOptions) -> list[str]:
    """The words of `fieldlr study` that go over a sweep."""
    if source.kind == "unposed":
        raise FieldlrError("these photos have no poses yet. Find poses first, on the Start tab.")
    words = ["study", str(source.path), "--out", "{job}/run"]
    for name, own in leaves(Sweep).items():
        value = getattr(sweep, name)
        if isinstance(own.kind, Switch):
            words += [] if value == own.default else [f"--{'' if value else 'no-'}{name}"]
        elif value is not None:
            words += [f"--{name}", own.kind.show(value)]
    return words + option_words(base) + reading_words(source, base)


def study_curves(workspace: Workspace, job: Job) -> list[RDCurve]:
    """The curves of what a study has done so far, those of networks first."""
    files = sorted(workspace.run_folder(job).glob("*.json"))
    # A hidden one is on its way, or was when the process that wrote it was killed.
    own = [path for path in files if path.name != "bd.json" and not path.name.startswith(".")]
    curves = [read_curve(path) for path in own]
    return sorted(curves, key=lambda curve: not curve.has("params"))


def runs_curves(workspace: Workspace, jobs: Sequence[Job]) -> list[RDCurve]:
    """The files of finished trainings of one source as curves, one a backbone.

    A file that is not there yet is made and measured first, which can take half a minute.
    """
    if len({job.about["source_name"] for job in jobs}) > 1:
        raise FieldlrError("runs of different sources cannot be compared. Pick runs of one.")
    points: dict[str, list[RDPoint]] = {}
    for job in jobs:
        run = workspace.run(job.id)
        fit = run.results.get("fit", {})
        if fit.get("quality") is None:
            raise FieldlrError(f"{job.title} is not finished and has no quality yet.")
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
        raise FieldlrError(f"{title} has no quality to compare by. Evaluate its run.")
    place = f"{job_id}/{stored.file}"
    return RDPoint(title, stored.num_bytes, stored.num_parameters, stored.quality, 0, place)


def drawn(curves: Sequence[RDCurve], rate: Rate, job_id: str = "") -> dict[str, Any]:
    """Curves as the page draws them: plain values, every fit with where its file is.

    Files are seen from the study `job_id`, or without one name their own job.
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
    return {"series": series, "limits": limits, "x": RATES[rate], "y": AXES[measure]}


def _mark(curve: RDCurve, point: RatePoint, job_id: str) -> dict[str, Any]:
    files = [point.file for point in point.fits if point.file]
    places = [f"{job_id}/{file}" if job_id else file for file in files]
    return dataclasses.asdict(mark_of(curve, point)) | {"fits": places}


def bd_rows(curves: Sequence[RDCurve], rate: Rate) -> list[list[str]]:
    """A row for each pair of curves: anchor, test, BD-rate, its interval, BD-quality, overlap."""
    whole = [curve for curve in curves if curve.only_bits is None and curve.has(rate)]
    return [figures_in_words(row) for row in bd_table(whole, rate)]


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
        paths.append(folder / curve.file_name)
        # Their files stay where they are.
        points = tuple(dataclasses.replace(point, file="") for point in curve.points)
        write_curve(dataclasses.replace(curve, points=points), paths[-1])
    paths.append(folder / "curves.svg")
    draw_svg(plot_of(curves, "quality against size", rate), paths[-1])
    return paths


def fit_files(viewer: Viewer, place: str) -> tuple[Path | None, Path]:
    """(a picture, the .flr) of a point, copied to where they may be fetched."""
    job_id, _, inside = place.partition("/")
    workspace = viewer.workspace
    folder = workspace.store.path(job_id, "run").resolve()
    file = (folder / inside).resolve()
    if not (file.is_relative_to(folder) and file.suffix == ".flr" and file.exists()):
        raise FieldlrError("that file is no longer here.")
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
