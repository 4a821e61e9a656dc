"""The backbone `low-rank`: W = U V^T."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import (
    Linear,
    LinearConfig,
    MatrixFunction,
    Passes,
    Units,
    default_std,
    draw_bias,
    outer,
    rank_option,
    stays_dense,
)
from fieldlr.system import draws
from fieldlr.system.entries import Role

# Factors of a higher rank need a lower learning rate: with the full one, a shape fit of rank 20
# and 2,000 steps learns nothing in its first half.
FULL_LEARNING_RATE_RANK = 5


@dataclass(frozen=True)
class LowRank(LinearConfig):
    """Stores U (out, rank) and V (in, rank): rank * (out + in) parameters, never more than W."""

    name = "low-rank"
    number = 1
    label = "Smallest"
    summary = "W = U Vᵀ, two thin matrices: small, and blurred"
    has_jacobian = True

    rank: int = rank_option()

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer whose U V^T starts with the standard deviation of the dense layer."""
        if stays_dense(self.rank, in_features, out_features):
            return FullLinear(in_features, out_features, bias, generator, std)
        return LowRankLinear(in_features, out_features, self.rank, bias, generator, std)

    def num_weights(self, in_features: int, out_features: int) -> int:
        return min(self.rank * (in_features + out_features), in_features * out_features)


class LowRankLinear(Linear):
    """W = U V^T, applied as U (V^T x)."""

    units = Units({"U": 0}, {"V": 0})
    start_at_zero = "U"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        # var(U V^T) = rank var(u) var(v): both factors get the same variance, so that one learning
        # rate suits both, and the product starts with the variance of a dense layer.
        bound = (3.0 * (std or default_std(in_features)) / rank**0.5) ** 0.5
        self.U = draws.uniform((out_features, rank), bound, generator)
        self.V = draws.uniform((in_features, rank), bound, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return self.U @ self.V.T

    def weight_under(self, function: MatrixFunction) -> Float[Tensor, "out in"]:
        return function(self.U.double() @ self.V.double().T)

    def factors(self) -> tuple[Float[Tensor, "_ _"], ...]:
        # `stays_dense` ensures that the two products cost less than one with W.
        return (self.U, self.V.T)

    def roles(self) -> dict[str, Role]:
        factor = Role("factor", min(1.0, FULL_LEARNING_RATE_RANK / self.U.shape[1]) ** 0.5)
        return {**super().roles(), "U": factor, "V": factor}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        (inputs, between), (products, deltas) = passes
        by_v = (inputs[:, :, None] * between[:, None, :]).flatten(1)
        return {"U": outer(deltas, products), "V": by_v}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, rank={self.U.shape[1]}"
