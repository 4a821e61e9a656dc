"""The tables and figures of docs/paper.md, from the curves of the studies.

    python studies/paper.py STUDY --figure docs/shape.svg

prints published figures beside ours, each with its spread over the seeds, the BD figures, and the
narrow dense rival; STUDY is the folder of a `fieldlr study` of the Thai statue.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.pictures.curves import Series, draw_svg
from fieldlr.study import RDCurve, RDPoint, bd_figure, read_curve
from fieldlr.study.study import series_of

# Ji et al. 2024, table 6: IoU on the Thai statue at 512^3.
RANKS = (1, 2, 5, 20)
PUBLISHED = {
    "low-rank": (0.843, 0.880, 0.934, 0.954),
    "sine-low-rank": (0.908, 0.920, 0.943, 0.954),
}
PUBLISHED_FULL = 0.972
NUMBERS = (2817, 3841, 6913, 22273)


def curves_in(folder: Path) -> list[RDCurve]:
    """The curves of a study, in a fixed order."""
    names = ("full", "sine-low-rank", "low-rank", "narrow-full")
    return [read_curve(folder / f"{n}.json") for n in names if (folder / f"{n}.json").exists()]


def spread(figures: Sequence[float]) -> str:
    """Mean, and the range over the seeds."""
    mean = statistics.mean(figures)
    if len(figures) == 1:
        return f"{mean:.4f}"
    return f"{mean:.4f} ({min(figures):.4f} to {max(figures):.4f})"


def table(curves: Sequence[RDCurve]) -> str:
    """Markdown: a row a point, published beside ours."""
    lines = ["| backbone | point | parameters | published | ours |", "|---|---|---|---|---|"]
    for curve in curves:
        for label, fits in curve.groups():
            published = "-"
            if curve.name == "full":
                published = f"{PUBLISHED_FULL:.3f}"
            elif curve.name in PUBLISHED and label.startswith("k="):
                rank = int(label[2:])
                if rank in RANKS:
                    published = f"{PUBLISHED[curve.name][RANKS.index(rank)]:.3f}"
            ours = spread([p.figure for p in fits])
            size = f"{fits[0].num_parameters:,}"
            lines.append(f"| {curve.name} | {label} | {size} | {published} | {ours} |")
    return "\n".join(lines)


def figures(curves: Sequence[RDCurve]) -> str:
    """Markdown: sine-low-rank against its rivals."""
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


def published_series() -> list[Series]:
    """Table 6 as curves."""
    series = []
    for name, ious in PUBLISHED.items():
        points = [
            RDPoint(f"k={rank}", 4 * numbers, numbers, iou, 0)
            for rank, numbers, iou in zip(RANKS, NUMBERS, ious, strict=True)
        ]
        curve = series_of(RDCurve(f"{name}, published", "iou", tuple(points)))
        series.append(dataclasses.replace(curve, dashed=True))
    return series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    curves = curves_in(words.study)
    print(table(curves))
    print()
    print(figures(curves))
    if words.figure is not None:
        series = [*(series_of(curve) for curve in curves), *published_series()]
        axis = "-10 log10(1 - IoU), dB"
        draw_svg(series, words.figure, "Thai statue: quality against size", "parameters", axis)


if __name__ == "__main__":
    main()
