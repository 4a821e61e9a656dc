"""Plots rate-distortion curves in one figure.

    python studies/draw.py CURVE.json ... --out paper/figures/statue-rd.svg --title TITLE

The curves are files of `fieldlr study`, studies/record.py and studies/baselines.py; those published
in the docs are in paper/results. Curves of the same name are merged.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from fieldlr.metrics.curve import RDCurve
from fieldlr.metrics.curve_file import read_curve
from fieldlr.pictures.curves import draw_svg
from fieldlr.study.drawing import plot_of
from fieldlr.system.script import run_script


def curves_of(paths: list[Path]) -> list[RDCurve]:
    """A curve for each name; labels of points from further files include the file name."""
    curves: dict[str, RDCurve] = {}
    for path in paths:
        curve = read_curve(path)
        before = curves.setdefault(curve.name, curve)
        if before is not curve:
            own = (dataclasses.replace(p, point=f"{p.point} ({path.stem})") for p in curve.points)
            curves[curve.name] = dataclasses.replace(before, points=(*before.points, *own))
    return list(curves.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curves", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="quality by file size")
    words = parser.parse_args()
    draw_svg(plot_of(curves_of(words.curves), words.title), words.out)


if __name__ == "__main__":
    run_script(main)
