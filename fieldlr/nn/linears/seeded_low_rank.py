"""The backbone `seeded-low-rank`: W = U V^T with a V that nobody stores."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.linear import Passes, Units, outer, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear
from fieldlr.system import seeded


class SeededLowRankLinear(StructuredLinear):
    """U V^T, V being drawn by the format's own generator: a linear map of random features.

    Input units keep their places, because V is fixed.
    """

    units = Units({"U": 0})
    start_at_zero = "U"

    U: Float[Tensor, "out rank"]
    V: Float[Tensor, "in rank"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        rank = shapes["U"][1]
        factor = seeded.uniform(seeded.FACTOR, (self.in_features, rank))
        self.register_buffer("V", factor, persistent=False)
        return {"U": std / rank**0.5}

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return self.U @ self.V.T

    def factors(self) -> tuple[Float[Tensor, "_ _"], ...]:
        return (self.U, self.V.T) if self._cheaper_in_turn() else (self.dense_weight(),)

    def _cheaper_in_turn(self) -> bool:
        size = self.in_features * self.out_features
        return self.U.shape[1] * (self.in_features + self.out_features) < size

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        if self._cheaper_in_turn():
            _, (products, deltas) = passes
            return {"U": outer(deltas, products)}
        ((inputs, deltas),) = passes
        return {"U": outer(deltas, inputs @ self.V.to(inputs.dtype))}


@dataclass(frozen=True)
class SeededLowRank(Structured):
    """Stores U (out, rank) alone: half the parameters of `low-rank` (FFA-LoRA, Sun et al. 2024)."""

    name = "seeded-low-rank"
    number = 9
    summary = "W = U Vᵀ with a seeded V that is not stored: twice the rank of low-rank"
    layer = SeededLowRankLinear

    rank: int = rank_option(10)

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        return {"U": (out_features, self.rank)}
