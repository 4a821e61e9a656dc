"""The report of a batch: report.json and report.html."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fieldlr.pictures.overview import Card, draw_overview
from fieldlr.runs.history import read_history
from fieldlr.system.duration import duration
from fieldlr.system.json import write_json

# Files to link to, with link texts.
LINKS = {
    "mesh.glb": "mesh",
    "view.png": "view",
    "view.mp4": "video",
    "field.flr": "field",
    "eval.json": "evaluation",
    "study/rd.html": "study",
}
MEASURES = {"iou": "IoU", "psnr_db": "dB"}


def write_report(out: Path, result: dict[str, Any]) -> None:
    """Writes both files, each atomically."""
    write_json(out / "report.json", result)
    counts = [f"{result[name]} {name}" for name in ("done", "failed", "skipped") if result[name]]
    if result["reused"]:
        counts.append(f"{result['reused']} of them reused")
    facts = f"{', '.join(counts) or 'nothing to do'} in {duration(result['seconds'])}"
    facts += "" if result["finished"] else "; not finished"
    cards = [_card(out, item) for item in result["items"]]
    draw_overview(out / "report.html", out.name, facts, cards, result["notes"])


def _card(out: Path, item: dict[str, Any]) -> Card:
    folder, figures = out / item["name"], item.get("figures", {})
    picture, curve = b"", ()
    if item["status"] == "done":
        picture, curve = _thumbnail_and_curve(folder, (folder / "item.json").stat().st_mtime_ns)
    shown = _figures(item, figures.get("fit", {}).get("measure", ""))
    links = {
        text: quote(f"{item['name']}/{name}")
        for name, text in LINKS.items()
        if name in item.get("files", ())
    }
    notes = [item["error"]] if item["error"] else []
    notes += [f"retried: {cause}" for cause in item.get("retried", ())]
    notes += figures.get("fit", {}).get("warnings", ())
    return Card(item["name"], item["status"], picture, curve, shown, links, notes)


@lru_cache(maxsize=100_000)
def _thumbnail_and_curve(folder: Path, stamp: int) -> tuple[bytes, tuple[tuple[float, float], ...]]:
    """(the thumbnail, quality over time) of an item, cached by the time stamp of its record."""
    picture, reports = b"", []
    with suppress(OSError):
        picture = (folder / "thumbnail.jpg").read_bytes()
        reports = read_history(folder / "run" / "history.jsonl")
    curve = ((r.get("seconds"), r.get("quality")) for r in reports)
    return picture, tuple((s, q) for s, q in curve if s is not None and q is not None)


def _figures(item: dict[str, Any], measure: str) -> dict[str, str]:
    shown = {}
    if item["quality"] is not None:
        shown["quality"] = f"{item['quality']:.4g} {MEASURES.get(measure, '')}"
    if item.get("num_parameters"):
        shown["parameters"] = f"{item['num_parameters']:,}"
    if item.get("num_bytes"):
        shown["file"] = f"{item['num_bytes']:,} bytes"
    if item["seconds"]:
        shown["time"] = duration(item["seconds"]) + (" (before)" if item.get("reused") else "")
    return shown
