"""Do a learned omega or learned row scales pay for their parameters?

    python studies/learned.py SOURCE --out paper/results/learned-NAME.json [--ranks 1,5,20]
        [--seeds 3] [--steps 600] [--downscale N]

Compares standard sine-low-rank layers, layers with a learned omega (one parameter each), layers
with a learned scale of every row (a parameter per output), and wider standard layers with as many
parameters. All are trained by Adam from the same initialisation. Each result is saved when its fit
ends; rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from trials import Trials, trained

from fieldlr.data import open_source
from fieldlr.nn.linears import Linear, SineLowRank
from fieldlr.nn.linears.sine_low_rank import SineLowRankLinear
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task

# Learned values start at 0 and are divided by this, so that a step of Adam changes them by 0.5 %.
DIVISOR = 10.0


@dataclass(frozen=True)
class LearnedOmega(SineLowRank):
    """omega exp(t / DIVISOR) with a learned t for each layer."""

    def build(self, *size, **how) -> Linear:
        return _learning(super().build(*size, **how), ())


@dataclass(frozen=True)
class LearnedRows(SineLowRank):
    """exp(t_i / DIVISOR) times row i, with a learned t for each row."""

    def build(self, in_features, out_features, *rest, **how) -> Linear:
        return _learning(super().build(in_features, out_features, *rest, **how), (out_features, 1))


class LearningLinear(SineLowRankLinear):
    """A sine-low-rank layer with scaled omega (t of shape ()) or scaled rows (out, 1)."""

    def dense_weight(self) -> Tensor:
        scale = torch.exp(self.t / DIVISOR)
        if self.t.ndim == 0:
            return torch.sin(self.U @ (self.omega * scale * self.V.T)) / self.gain
        return scale * torch.sin(self.U @ (self.omega * self.V.T)) / self.gain


def _learning(layer: Linear, shape: tuple[int, ...]) -> Linear:
    if isinstance(layer, SineLowRankLinear):
        layer.__class__ = LearningLinear
        layer.t = nn.Parameter(torch.zeros(shape))
    return layer


KINDS = {"fixed": SineLowRank, "learned omega": LearnedOmega, "learned rows": LearnedRows}
WIDTH = 256


def measure(source, kind: str, rank: int, seed: int, steps: int) -> dict:
    """The result of one fit by Adam."""
    # A scale per row of two layers is two parameters per unit; a unit has 4 k + 7 parameters.
    wider = "wider" in kind
    width = round(WIDTH * (1.0 + 2.0 / (4 * rank + 7))) if wider else WIDTH
    encoding = "frequency" if source.kind == "photos" else None
    options = FitOptions.of(
        backbone="sine-low-rank",
        rank=rank,
        width=width,
        encoding=encoding,
        optimizer="adam",
        seed=seed,
    ).settled()
    linear = KINDS["fixed" if wider else kind](rank)
    config = dataclasses.replace(field_config(options, source.kind), linear=linear)
    task = make_task(source, options)
    state = trained(task, config, seed, steps)
    return {
        "kind": kind,
        "rank": rank,
        "seed": seed,
        "steps": steps,
        "num_parameters": state.field.num_parameters,
        "quality": task.quality(state.field),
        "learned": [
            float(layer.t.detach().mean()) for layer in state.field.modules() if hasattr(layer, "t")
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ranks", default="1,5,20")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--downscale", type=int)
    words = parser.parse_args()
    source = open_source(words.source, words.downscale)
    trials = Trials(words.out)
    for seed in range(words.seeds):
        for rank in map(int, words.ranks.split(",")):
            for kind in (*KINDS, "wider instead of rows"):
                setting = {"kind": kind, "rank": rank, "seed": seed, "steps": words.steps}
                if not trials.has(setting):
                    trials.keep(measure(source, **setting))


if __name__ == "__main__":
    run_script(main)
