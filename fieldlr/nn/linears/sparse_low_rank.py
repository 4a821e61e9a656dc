"""The backbone `sparse-low-rank`: W = U V^T + S, with S nonzero at seeded places."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.nn.linears.linear import Passes, outer, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear
from fieldlr.system import seeded
from fieldlr.system.kinds import Number
from fieldlr.system.options import option


class SparseLowRankLinear(StructuredLinear):
    """U V^T plus values at places that the format's own generator draws: they are not stored.

    Units cannot be permuted, because the places are fixed.
    """

    U: Float[Tensor, "out rank"]
    V: Float[Tensor, "in rank"]
    S: Float[Tensor, " values"]
    places: Int[Tensor, " values"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        # Values have the spread of a dense layer's weights, and U V^T takes the rest of the
        # variance: with no values this is low-rank, and with all of them nearly a dense layer.
        (values,), rank = shapes["S"], shapes["U"][1]
        total = self.in_features * self.out_features
        places = seeded.places(seeded.SUPPORT, total, values)
        self.register_buffer("places", places, persistent=False)
        rest = std * (1.0 - values / total) ** 0.5
        size = (rest / rank**0.5) ** 0.5
        return {"U": size, "V": size, "S": std}

    def dense_weight(self) -> Float[Tensor, "out in"]:
        product = self.U @ self.V.T
        return product.flatten().index_add(0, self.places, self.S).view_as(product)

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        u, v = self.U.to(inputs.dtype), self.V.to(inputs.dtype)
        rows = self.places.div(self.in_features, rounding_mode="floor")
        return {
            "U": outer(deltas, inputs @ v),
            "V": outer(inputs, deltas @ u),
            "S": deltas[:, rows] * inputs[:, self.places % self.in_features],
        }


@dataclass(frozen=True)
class SparseLowRank(Structured):
    """Stores U (out, rank), V (in, rank) and floor(density * out * in) values, at least one
    (SLTrain, Han et al. 2024).

    Unlike SLTrain's, both parts are random at the start: with U = 0 the layer would start with
    `density` of a dense layer's variance.
    """

    name = "sparse-low-rank"
    number = 8
    summary = "W = U Vᵀ + S, S sparse at seeded places"
    layer = SparseLowRankLinear

    rank: int = rank_option()
    density: float = option(Number(0.0, 1.0), "Nonzero entries of S, as a part of those of W", 0.03)

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        values = max(1, int(self.density * out_features * in_features))
        return {
            "U": (out_features, self.rank),
            "V": (in_features, self.rank),
            "S": (values,),
        }
