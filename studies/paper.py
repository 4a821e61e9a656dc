"""The tables and figures of paper/reproduction.md, from the curves of the studies.

    python studies/paper.py FOLDER [--prefix statue-steps-] --figure paper/figures/shape.svg

Prints published figures beside ours, with the range over seeds, and the BD figures of sine-low-rank
against low-rank and narrow networks. FOLDER is that of a `fieldlr study`, or paper/results, whose
file names have a prefix.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_figure
from fieldlr.metrics.curve import RDCurve
from fieldlr.metrics.curve_file import read_curve
from fieldlr.pictures.curves import Plot, Series, draw_svg
from fieldlr.study.drawing import AXES, RATES, series_of
from fieldlr.system.script import run_script

PUBLISHED = Path(__file__).parents[1] / "paper" / "published"
NAMES = ("full", "sine-low-rank", "low-rank", "narrow-full")


def curves_in(folder: Path, prefix: str = "") -> list[RDCurve]:
    """The curves of a study, or the published ones, in a fixed order."""
    paths = [folder / f"{prefix}{name}.json" for name in NAMES]
    return [read_curve(path) for path in paths if path.exists()]


def spread(figures: Sequence[float]) -> str:
    """The mean, and the range over seeds."""
    mean = statistics.mean(figures)
    if len(figures) == 1:
        return f"{mean:.4f}"
    return f"{mean:.4f} ({min(figures):.4f} to {max(figures):.4f})"


def table(curves: Sequence[RDCurve], published: Sequence[RDCurve]) -> str:
    """A Markdown table with a row per point: published and ours."""
    known = {(c.name, p.point): f"{p.figure:g}" for c in published for p in c.points}
    lines = ["| backbone | point | parameters | published | ours |", "|---|---|---|---|---|"]
    for curve in curves:
        for label, fits in curve.groups():
            size, ours = f"{fits[0].num_parameters:,}", spread([p.figure for p in fits])
            row = (curve.name, label, size, known.get((curve.name, label), "-"), ours)
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def figures(curves: Sequence[RDCurve]) -> str:
    """A Markdown table of BD figures of sine-low-rank."""
    lines = ["| anchor | BD-rate | 95 % interval | BD-quality | overlap |", "|---|---|---|---|---|"]
    known = {curve.name: curve for curve in curves}
    for anchor in ("low-rank", "narrow full"):
        if anchor not in known or "sine-low-rank" not in known:
            continue
        try:
            bd = bd_figure(known[anchor], known["sine-low-rank"], rate="params", force=True)
        except FieldlrError as error:
            lines.append(f"| {anchor} | {error} | | | |")
            continue
        interval = "-" if bd.interval is None else "{:.1f} to {:.1f} %".format(*bd.interval)
        lines.append(
            f"| {anchor} | {bd.bd_rate_percent:+.1f} % | {interval} | {bd.bd_quality_db:+.2f} dB | "
            f"{100 * bd.overlap:.0f} % |"
        )
    return "\n".join(lines)


def dashed(curve: RDCurve) -> Series:
    """The dashed series of a published curve."""
    named = dataclasses.replace(curve, name=f"{curve.name}, published")
    drawn = series_of(named, "params")
    return dataclasses.replace(drawn, dashed=True, family=curve.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    curves = curves_in(words.folder, words.prefix)
    if not curves:
        parser.error(f"no curve {words.prefix}NAME.json in {words.folder}")
    kind = "shape-" if curves[0].measure == "iou" else "nerf-"
    published = curves_in(PUBLISHED, kind)
    print(table(curves, published))
    print()
    print(figures(curves))
    if words.figure is not None:
        series = [series_of(curve, "params") for curve in curves]
        series += [dashed(curve) for curve in published]
        axes = RATES["params"], AXES[curves[0].measure]
        title = f"{curves[0].config.get('source', 'quality')}: quality by number of parameters"
        draw_svg(Plot(title, *axes, series), words.figure)


if __name__ == "__main__":
    run_script(main)
