"""Do a learned omega, or a learned scale of every row, earn the numbers that they take?

    python studies/learned.py SOURCE --out paper/results/learned-NAME.json [--ranks 1,5,20]
        [--seeds 3] [--steps 600] [--downscale N]

Sine-low-rank layers as they are, with an omega that is learned for each layer (one number more),
with a scale of every row that is learned (as many as the layer has outputs), and as they are with
as many numbers more in width. All by Adam, from the same start. Each fit is kept as it ends, and
the same command goes on after a stop.
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
from fieldlr.system.process import prepare_process
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task

# What is learned starts at 0 and is divided by this: a step of Adam then moves it by 0.5 %.
CALM = 10.0


@dataclass(frozen=True)
class LearnedOmega(SineLowRank):
    """omega exp(t / CALM) with a learned t for each layer."""

    def build(self, *size, **how) -> Linear:
        return _learning(super().build(*size, **how), ())


@dataclass(frozen=True)
class LearnedRows(SineLowRank):
    """exp(t_i / CALM) times row i, with a learned t of each row."""

    def build(self, in_features, out_features, *rest, **how) -> Linear:
        return _learning(super().build(in_features, out_features, *rest, **how), (out_features, 1))


class LearningLinear(SineLowRankLinear):
    """A sine-low-rank layer whose omega (t of shape ()) or whose rows (out, 1) are scaled."""

    def dense_weight(self) -> Tensor:
        scale = torch.exp(self.t / CALM)
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
    """One fit by Adam."""
    # One more number a row of two layers is two numbers a unit; a unit stores 4 k + 7 numbers.
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
    prepare_process()
    source = open_source(words.source, words.downscale)
    trials = Trials(words.out)
    for seed in range(words.seeds):
        for rank in map(int, words.ranks.split(",")):
            for kind in (*KINDS, "wider instead of rows"):
                setting = {"kind": kind, "rank": rank, "seed": seed, "steps": words.steps}
                if not trials.has(setting):
                    trials.keep(measure(source, **setting))


if __name__ == "__main__":
    main()
