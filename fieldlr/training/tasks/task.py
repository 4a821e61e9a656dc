"""What the trainer asks of a task: a source together with what it means to fit it."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import Parameter

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.nn.linears import LinearConfig, LowRank
from fieldlr.nn.linears.sine_low_rank import SineLowRankLinear
from fieldlr.training.optim.gauss_newton import Parabola

WARM_UP_STEPS = 50
# A step on fewer points than this, because memory ran out, would learn nothing.
FEWEST_POINTS = 256
FULL_RATE_RANK = 5


def warm_cosine(progress: float, step: int, final_rate: float) -> float:
    """A learning rate's course: a short warm-up, then half a cosine from 1 to `final_rate`."""
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    return (final_rate + (1.0 - final_rate) * cosine) * min(1.0, (step + 1) / WARM_UP_STEPS)


def rank_share(linear: LinearConfig) -> float:
    """Of the rate of the factors of `low-rank`, what a rank takes: less beyond FULL_RATE_RANK.

    With the full rate a fit of a shape of rank 20 and 2,000 steps learns nothing in its first half.
    """
    return min(1.0, FULL_RATE_RANK / linear.rank) ** 0.5 if isinstance(linear, LowRank) else 1.0


def parameter_groups(field: Field, rates: dict[str, float], muon: bool) -> list[dict[str, Any]]:
    """Groups of parameters, each with its `lr`, and whether it is for Muon.

    `rates` has a learning rate for the kinds `grid`, `factor`, `matrix` (the square ones, between
    hidden layers, which Muon trains where it is wanted) and `dense` (all others). With `phase`, in
    radians, the factors under a sine have `phase_rates` instead.
    """
    own: dict[str, float] = {}
    if "phase" in rates:
        for prefix, layer in field.named_modules():
            if isinstance(layer, SineLowRankLinear):
                by_name = layer.phase_rates(rates["phase"])
                own |= {f"{prefix}.{name}": rate for name, rate in by_name.items()}
    kinds: dict[tuple[str, float], list[Parameter]] = {}
    for name, parameter in field.named_parameters():
        square = parameter.ndim == 2 and parameter.shape[0] == parameter.shape[1]
        kind = "matrix" if square else "dense"
        kind = "grid" if name.endswith("table") else kind
        kind = "factor" if name.endswith((".U", ".V")) else kind
        rate = own[name] if name in own else rates[kind]
        kinds.setdefault((kind, rate), []).append(parameter)
    return [
        {"params": params, "lr": rate, "muon": muon and kind == "matrix"}
        for (kind, rate), params in kinds.items()
    ]


class Task(Protocol):
    """A source, and what it means to fit it."""

    quality_name: str  # the key of `evaluate` that is `quality`

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> Field:
        """A fresh field."""
        ...

    def parameter_groups(self, field: Field) -> list[dict[str, Any]]:
        """Groups for the optimisers, each with its `lr`; those with `muon` are Muon's."""
        ...

    def rate(self, field: Field, progress: float, step: int) -> float:
        """What every learning rate is multiplied by; progress is in [0, 1]."""
        ...

    def loss(self, field: Field, generator: torch.Generator, progress: float) -> tuple[Tensor, int]:
        """(loss, number of points or ray samples that went through the network)."""
        ...

    def newton_suits(self, field: Field) -> bool:
        """Whether a fit of this field ends with `newton_step`."""
        ...

    def newton_step(
        self, field: Field, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        """A step by second derivatives, as (loss before it, points); None where Adam is better."""
        ...

    def parabola(
        self, field: Field, generator: torch.Generator, curvature_rows: int
    ) -> Parabola | None:
        """The loss of a batch to second order; None where it is not to be had."""
        ...

    def smaller(self) -> bool:
        """Halves what a step takes; False where that would be next to nothing."""
        ...

    def collapsed(self, field: Field, losses: list[float]) -> bool:
        """Whether an attempt with these losses is stuck in a constant and should start anew."""
        ...

    def quality(self, field: Field) -> float:
        """A quick estimate of the quality: higher is better."""
        ...

    def evaluate(self, field: Field) -> dict[str, Any]:
        """Every figure of the full evaluation, as plain values."""
        ...
