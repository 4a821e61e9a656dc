"""The best curve of a shape: small networks of several widths, trained for the file.

    python studies/record.py SOURCE --out FOLDER [--seeds 3] [--only NAME]
        [--against CURVE.json ...] [--figure docs/record.svg]

Each network of NETWORKS is a `fieldlr study` in a folder of its own, with files of several bits a
number, each trained on while its numbers are rounded. The curve over all of them, record.json, is
drawn beside the others, and compared with each. The same command goes on after a stop.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from fieldlr.errors import FieldlrError
from fieldlr.pictures.curves import draw_svg
from fieldlr.presets import FitOptions
from fieldlr.process import prepare_process
from fieldlr.study import RDCurve, Study, Sweep, bd_figure, read_curve, write_curve
from fieldlr.study.drawing import plot_of
from fieldlr.training import FitConfig


@dataclass(frozen=True)
class Network:
    """Of two hidden matrices, as all shapes here."""

    width: int
    steps: int
    finetune: int  # steps for each file
    options: FitOptions = FitOptions(backbone="full")

    @property
    def name(self) -> str:
        return f"{self.options.backbone}-{self.width}"


# Gauss-Newton ends the fits of the first two; dense matrices are trained by Muon. Omega is a spread
# of 1.2 radians where the rule has 4: fields are a little worse and files much better, because
# omega multiplies what is rounded.
NETWORKS = (
    Network(72, 330, 20, FitOptions("sine-low-rank", 5, 31.0, activation="sine")),
    Network(128, 330, 20, FitOptions("sine-low-rank", 5, 41.0, activation="sine")),
    Network(57, 12000, 10),
)
BITS = (5.0, 6.0)
NAME = "record"


def study_of(network: Network, source: Path, folder: Path, seeds: int) -> Study:
    base = dataclasses.replace(network.options, width=network.width, steps=network.steps)
    ranks = [] if base.rank is None else [base.rank]
    sweep = Sweep([base.backbone], ranks, seeds, False, BITS, FitConfig(steps=network.finetune))
    return Study(source, folder / network.name, base, sweep)


def whole_curve(folder: Path) -> RDCurve:
    """The points of all networks, each named by its width too."""
    points, curve = [], None
    for own in sorted(folder.glob("*-*/")):
        curve = read_curve(own / f"{own.name.rpartition('-')[0]}.json")
        points += [
            dataclasses.replace(
                point,
                point=f"{own.name}, {point.point.removeprefix('full, ')}",
                file=f"{own.name}/{point.file}",
            )
            for point in curve.points
        ]
    words = "small networks of two kinds and several widths, trained for their files."
    return dataclasses.replace(curve, name=NAME, points=tuple(points), description=words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="the one network to train now, as full-57")
    parser.add_argument("--against", type=Path, nargs="*", default=[])
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    prepare_process()
    for network in NETWORKS:
        if words.only not in (None, network.name):
            continue
        study = study_of(network, words.source, words.out, words.seeds)
        for report in study.reports():
            if report.doing == "measured":
                print(f"{network.name}: {report.title} measured", flush=True)
        study.save()
    record = whole_curve(words.out)
    write_curve(record, words.out / record.file_name)
    for spot in record.front("bytes")[0]:
        iou = 1.0 - 10.0 ** (-spot.quality / 10.0)
        print(f"{spot.label:32} {spot.rate:8,.0f} bytes  IoU {iou:.4f}  {len(spot.fits)} seeds")
    rivals = [read_curve(path) for path in words.against]
    for rival in rivals:
        try:
            found = bd_figure(rival, record, force=True)
        except FieldlrError as error:
            print(f"against {rival.name}: {error}")
            continue
        between = "" if found.interval is None else " ({:+.1f} to {:+.1f})".format(*found.interval)
        print(
            f"against {rival.name}: BD-rate {found.bd_rate_percent:+.1f} %{between}, "
            f"{found.bd_quality_db:+.2f} dB, overlap {100 * found.overlap:.0f} %"
        )
    if words.figure:
        draw_svg(plot_of([record, *rivals], f"{words.source.stem}: the record"), words.figure)


if __name__ == "__main__":
    main()
