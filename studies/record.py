"""The best curve of a shape: narrow dense sine networks with quantisation-aware fine-tuning.

    python studies/record.py SOURCE --out FOLDER [--seeds 3] [--only WIDTH]
        [--against CURVE.json ...] [--figure paper/figures/record.svg]

Each width is a `fieldlr study` in its own folder. The curve over all widths, record.json, is
plotted with the curves in `--against` and compared with each. Rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_figure
from fieldlr.metrics.curve import RDCurve
from fieldlr.metrics.curve_file import read_curve, write_curve
from fieldlr.pictures.curves import draw_svg
from fieldlr.study.drawing import plot_of
from fieldlr.study.study import Study
from fieldlr.study.sweep import Sweep
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions

# Networks with two hidden matrices, trained by Muon.
WIDTHS = (26, 30, 44, 64, 90, 124)
FIT = FitOptions.of(backbone="full", activation="sine", steps=1000)
FINETUNING_STEPS, BITS = 12000, (4.0,)
NAME = "record"


def study_of(width: int, source: Path, folder: Path, seeds: int) -> Study:
    sweep = Sweep(
        backbones=("full",), seeds=seeds, narrow=False, bits=BITS, finetune=FINETUNING_STEPS
    )
    return Study(source, folder / f"full-{width}", FIT.replaced(width=width), sweep)


def whole_curve(folder: Path) -> RDCurve:
    """The curve of the points of all widths, with the width in their labels."""
    points, curve = [], None
    for path in sorted(folder.glob("full-*/full.json")):
        own, curve = path.parent, read_curve(path)
        points += [
            dataclasses.replace(
                point,
                point=f"{own.name}, {point.point.removeprefix('full, ')}",
                file=f"{own.name}/{point.file}",
            )
            for point in curve.points
        ]
    words = "dense sine networks of several widths with quantisation-aware fine-tuning."
    config = curve.config | {"width": None}
    return RDCurve(NAME, curve.measure, tuple(points), words, config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=int, choices=WIDTHS, help="the only width to train now")
    parser.add_argument("--against", type=Path, nargs="*", default=[])
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    for width in WIDTHS:
        if words.only not in (None, width):
            continue
        study = study_of(width, words.source, words.out, words.seeds)
        for report in study.reports():
            if report.doing == "measured":
                print(f"width {width}: {report.title} measured", flush=True)
        study.save()
    record = whole_curve(words.out)
    write_curve(record, words.out / record.file_name)
    for point in record.front("bytes")[0]:
        iou = 1.0 - 10.0 ** (-point.quality / 10.0)
        print(f"{point.label:32} {point.rate:8,.0f} bytes  IoU {iou:.4f}  {len(point.fits)} seeds")
    others = [read_curve(path) for path in words.against]
    for other in others:
        try:
            found = bd_figure(other, record, force=True)
        except FieldlrError as error:
            print(f"against {other.name}: {error}")
            continue
        between = "" if found.interval is None else " ({:+.1f} to {:+.1f})".format(*found.interval)
        print(
            f"against {other.name}: BD-rate {found.bd_rate_percent:+.1f} %{between}, "
            f"{found.bd_quality_db:+.2f} dB, overlap {100 * found.overlap:.0f} %"
        )
    if words.figure:
        draw_svg(plot_of([record, *others], f"{words.source.stem}: the record"), words.figure)


if __name__ == "__main__":
    run_script(main)
