"""The best curve of a shape: small sine-low-rank networks of several widths, trained for the file.

    python studies/record.py SOURCE --out FOLDER [--seeds 3] [--only W] [--against CURVE.json ...]
        [--figure docs/record.svg]

Each network of NETWORKS is a `fieldlr study` in a folder of its own, with sines as activations,
second-order steps, and files of several bits a number, each trained on for FINETUNE steps while its
numbers are rounded. The curve over all of them, record.json, is drawn beside the others, and
compared with each. The same command goes on after a stop.
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

    rank: int
    width: int
    steps: int

    @property
    def omega(self) -> float:
        """SPREAD radians of phase, as a number."""
        return float(round(3.0 * SPREAD * self.width**0.5))


NETWORKS = (Network(5, 72, 330), Network(5, 128, 330), Network(8, 160, 310))
# The rule's 4 radians give better fields and worse files: the phase multiplies what is rounded.
SPREAD = 1.2
BITS = (5.0, 6.0)
FINETUNE = 20
NAME = "record"


def study_of(network: Network, source: Path, folder: Path, seeds: int) -> Study:
    base = FitOptions(
        width=network.width,
        omega=network.omega,
        activation="sine",
        preset="standard",
        steps=network.steps,
    )
    end = FitConfig(steps=FINETUNE)
    sweep = Sweep(["sine-low-rank"], [network.rank], seeds, False, BITS, end)
    return Study(source, folder / f"width-{network.width}", base, sweep)


def whole_curve(folder: Path) -> RDCurve:
    """The points of all networks, each named by its width too."""
    points, curve = [], None
    for own in sorted(folder.glob("width-*")):
        curve = read_curve(own / "sine-low-rank.json")
        points += [
            dataclasses.replace(
                point,
                point=f"{own.name.replace('-', ' ')}, {point.point}",
                file=f"{own.name}/{point.file}",
            )
            for point in curve.points
        ]
    words = "sine-low-rank networks with sines as activations, trained for their files."
    return dataclasses.replace(curve, name=NAME, points=tuple(points), description=words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=int, help="the width of the one network to train now")
    parser.add_argument("--against", type=Path, nargs="*", default=[])
    parser.add_argument("--figure", type=Path)
    words = parser.parse_args()
    prepare_process()
    for network in NETWORKS:
        if words.only not in (None, network.width):
            continue
        study = study_of(network, words.source, words.out, words.seeds)
        for report in study.reports():
            if report.doing == "measured":
                print(f"width {network.width}: {report.title} measured", flush=True)
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
