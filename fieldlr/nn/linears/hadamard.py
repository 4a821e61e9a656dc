"""The backbone `hadamard`: W = (U1 V1^T) * (U2 V2^T), element by element."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.linear import Passes, Units, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear, by_rows


class HadamardLinear(StructuredLinear):
    """The product of two matrices of rank R, element by element: of rank up to R^2."""

    units = Units({"U1": 0, "U2": 0}, {"V1": 0, "V2": 0})
    start_at_zero = "U1"
    num_factors = 4

    U1: Float[Tensor, "out rank"]
    V1: Float[Tensor, "in rank"]
    U2: Float[Tensor, "out rank"]
    V2: Float[Tensor, "in rank"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        rank = shapes["U1"][1]
        size: float = (std / rank) ** 0.25
        return dict.fromkeys(shapes, size)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return (self.U1 @ self.V1.T) * (self.U2 @ self.V2.T)

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        first, second = self.U1 @ self.V1.T, self.U2 @ self.V2.T
        return {
            "U1": by_rows(second, self.V1, inputs, deltas),
            "V1": by_rows(second.T, self.U1, deltas, inputs),
            "U2": by_rows(first, self.V2, inputs, deltas),
            "V2": by_rows(first.T, self.U2, deltas, inputs),
        }


@dataclass(frozen=True)
class Hadamard(Structured):
    """Stores U1, U2 (out, rank) and V1, V2 (in, rank) (FedPara, Hyeon-Woo et al. 2022; LoHa)."""

    name = "hadamard"
    number = 3
    summary = "W = (U₁ V₁ᵀ) ⊙ (U₂ V₂ᵀ): rank up to k² from four thin matrices"
    layer = HadamardLinear

    rank: int = rank_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        left, right = (out_features, self.rank), (in_features, self.rank)
        return {"U1": left, "V1": right, "U2": left, "V2": right}
