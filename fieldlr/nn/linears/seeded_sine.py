"""The backbone `seeded-sine-low-rank`: W = sin(omega U V^T) / g with a V that nobody stores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import Linear, Passes, Units
from fieldlr.nn.linears.sine_low_rank import SineLowRank, SineLowRankLinear
from fieldlr.system import seeded
from fieldlr.system.entries import Role


class SeededSineLinear(SineLowRankLinear):
    """A row of W is a sum of waves along random directions: a random Fourier feature."""

    units = Units({"U": 0})

    def start_inputs(self, rank: int, generator: torch.Generator | None) -> None:
        # The spread of the V that `sine-low-rank` draws.
        spread = 1.0 / math.sqrt(3.0 * self.in_features)
        factor = seeded.uniform(seeded.FACTOR, (self.in_features, rank), spread)
        self.register_buffer("V", factor, persistent=False)

    def roles(self) -> dict[str, Role]:
        return {name: role for name, role in super().roles().items() if name != "V"}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        return {"U": super().jacobian(passes)["U"]}


@dataclass(frozen=True)
class SeededSine(SineLowRank):
    """Stores U (out, rank) alone; V is `seeded-low-rank`'s, scaled, and omega and g are fixed."""

    name = "seeded-sine-low-rank"
    number = 10
    label = ""
    summary = "W = sin(ω U Vᵀ) / g with a seeded V that is not stored"

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        if self.rank >= in_features:
            return FullLinear(in_features, out_features, bias, generator, std)
        omega, gain = self.omega_for(in_features), self.gain_for(in_features, std)
        return SeededSineLinear(in_features, out_features, self.rank, omega, gain, bias, generator)

    def num_weights(self, in_features: int, out_features: int) -> int:
        return min(self.rank, in_features) * out_features
