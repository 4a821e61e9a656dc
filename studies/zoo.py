"""All backbones at equal parameters and at equal bytes, on one plot.

    python -m studies.zoo SOURCE --out DIR [--ranks 1,2,5] [--steps 600] [--bits 5] [--finetune 200]
        [--seeds 1] [--only hashed,kronecker] [--width N] [--grid N] [--optimizer adam]

The ranks are those of `sine-low-rank`; every other backbone gets the rank at which it stores the
nearest number of parameters, and a dense network with sine activations the nearest width. Each
backbone is a `fieldlr study` in a folder of its own: rerun the same command to resume. Afterwards
zoo.svg has all curves, zoo.json the table that is printed: bytes and quality of every point,
and the BD-rate against the narrow dense networks and against `low-rank`. With `--optimizer adam`
no structure has an optimiser that others lack (Muon, Gauss-Newton).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_table
from fieldlr.metrics.curve import RDCurve
from fieldlr.nn.linears import LINEARS
from fieldlr.pictures.curves import draw_svg
from fieldlr.study.drawing import plot_of
from fieldlr.study.study import Study
from fieldlr.study.sweep import Sweep, has_rank, narrow_width
from fieldlr.system.json import write_json
from fieldlr.system.script import run_script
from fieldlr.training.optim import OPTIMIZERS
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import count_parameters

NARROW = "narrow dense, sine"
NARROW_SUMMARY = "dense networks of as many parameters, with sine activations"
MOST_RANK = 2048


def nearest_rank(backbone: str, base: FitOptions, goal: int) -> int:
    """The rank at which a backbone stores about `goal` parameters, by bisection."""

    def count(rank: int) -> float:
        try:
            return count_parameters(base.with_backbone(backbone, rank=rank), "mesh")
        except FieldlrError:  # as many as dense layers have
            return math.inf

    low, high = 1, MOST_RANK
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= goal else (low, middle)
    return min((low, high), key=lambda rank: abs(count(rank) - goal))


def studies(words: argparse.Namespace, base: FitOptions) -> dict[str, list[Study]]:
    """The studies of each curve: one per backbone, and one per width of the dense networks."""
    sine = [base.with_backbone("sine-low-rank", rank=rank) for rank in words.ranks]
    goals = [count_parameters(options, "mesh") for options in sine]
    how: dict[str, Any] = {"seeds": words.seeds, "bits": words.bits, "narrow": False}
    how["finetune"] = words.finetune

    def study(folder: str, options: FitOptions, **sweep: Any) -> Study:
        return Study(words.source, words.out / folder, options, Sweep(**how, **sweep))

    chosen = words.only or [name for name in LINEARS if has_rank(name)]
    found = {}
    for name in chosen:
        ranks = tuple(dict.fromkeys(nearest_rank(name, base, goal) for goal in goals))
        found[name] = [study(name, base, backbones=(name,), ranks=ranks)]
    dense = base.replaced(activation="sine")
    widths = {narrow_width("mesh", options): None for options in sine}
    found[NARROW] = [
        study(f"dense-{width}", dense.replaced(width=width), backbones=("full",))
        for width in widths
    ]
    return found


def merged(name: str, parts: list[Study]) -> RDCurve:
    """The curve of several studies under one name."""
    curves = {part.out.name: part.curves()[0] for part in parts}
    points = [
        replace(point, point=label) if len(parts) > 1 else point
        for label, curve in curves.items()
        for point in curve.points
    ]
    own = replace(next(iter(curves.values())), name=name, points=tuple(points))
    return replace(own, description=NARROW_SUMMARY) if name == NARROW else own


def against(curves: list[RDCurve], anchor: str) -> dict[str, float | None]:
    """The BD-rate in per cent of every curve against an anchor."""
    rows = bd_table(curves)
    return {r["test"]: r.get("bd_rate_percent") for r in rows if r["anchor"] == anchor}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--ranks", type=lambda text: [*map(int, text.split(","))], default=[1, 2, 5]
    )
    parser.add_argument("--bits", type=lambda text: (*map(float, text.split(",")),), default=(5.0,))
    parser.add_argument("--only", type=lambda text: text.split(","))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--finetune", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--width", type=int)
    parser.add_argument("--grid", type=int)
    parser.add_argument("--optimizer", choices=list(OPTIMIZERS))
    words = parser.parse_args()
    base = FitOptions.of(
        steps=words.steps, width=words.width, grid=words.grid, optimizer=words.optimizer
    )
    found = studies(words, base)
    for name, parts in found.items():
        for part in parts:
            for title, _ in itertools.groupby(part.reports(), lambda report: report.title):
                print(f"{name}: {title}", flush=True)
    curves = [merged(name, parts) for name, parts in found.items()]
    draw_svg(
        plot_of(curves, f"{words.source.stem}: backbones at equal bytes"), words.out / "zoo.svg"
    )
    table = []
    by_dense, by_low = against(curves, NARROW), against(curves, "low-rank")
    for curve in curves:
        for point in curve.points:
            row = {k: v for k, v in vars(point).items() if isinstance(v, str | int | float)}
            table.append({"curve": curve.name, **row})
    write_json(words.out / "zoo.json", {"points": table, "dense": by_dense, "low-rank": by_low})
    for row in table:
        print(json.dumps(row))
    for curve in curves:
        print(f"{curve.name:24} {by_dense.get(curve.name)} {by_low.get(curve.name)}")


if __name__ == "__main__":
    run_script(main)
