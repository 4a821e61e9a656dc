"""The backbone `hashed`: every weight is one of a few stored values, by a seeded map."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.nn.linears.linear import rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear
from fieldlr.system import seeded


class HashedLinear(StructuredLinear):
    """W_ij = sign_ij values[map_ij]: a random subspace, and a control for the other structures.

    Units cannot be permuted, because the map is fixed.
    """

    start_at_zero = "values"

    values: Float[Tensor, " values"]
    map: Int[Tensor, " weights"]
    signs: Float[Tensor, " weights"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        total = self.in_features * self.out_features
        shared = seeded.balanced_map(seeded.MAP, total, *shapes["values"])
        self.register_buffer("map", shared, persistent=False)
        self.register_buffer("signs", seeded.signs(seeded.SIGNS, total), persistent=False)
        return {"values": std}

    def dense_weight(self) -> Float[Tensor, "out in"]:
        weights = self.signs * self.values.index_select(0, self.map)
        return weights.view(self.out_features, self.in_features)


@dataclass(frozen=True)
class Hashed(Structured):
    """Stores rank * (out + in) values (HashedNets, Chen et al. 2015; Uni-LoRA, Li et al. 2025)."""

    name = "hashed"
    number = 12
    summary = "weights shared at random: as many values as low-rank stores"
    has_jacobian = False  # a row for each weight of W would not fit in memory
    layer = HashedLinear

    rank: int = rank_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        return {"values": (self.rank * (in_features + out_features),)}
