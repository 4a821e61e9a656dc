"""`low-rank`: W = U V^T."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import (
    Linear,
    check_rank,
    default_std,
    draw_bias,
    outer,
    stays_dense,
    uniform_,
)


@dataclass(frozen=True)
class LowRank:
    """Stores U (out, rank) and V (in, rank): rank * (out + in) numbers, never more than W has."""

    rank: int = 5

    def __post_init__(self):
        check_rank("low-rank", self.rank)

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer whose product U V^T starts with the standard deviation of the dense layer."""
        if stays_dense(self.rank, in_features, out_features):
            return FullLinear(in_features, out_features, bias, generator, std)
        return LowRankLinear(in_features, out_features, self.rank, bias, generator, std)

    def num_weights(self, in_features: int, out_features: int) -> int:
        """Numbers stored for W."""
        return min(self.rank * (in_features + out_features), in_features * out_features)


class LowRankLinear(Linear):
    """W = U V^T, applied as U (V^T x)."""

    def __init__(self, in_features, out_features, rank, bias=True, generator=None, std=None):
        super().__init__(in_features, out_features)
        # var(U V^T) = rank var(u) var(v): both factors get the same share, so that one learning
        # rate suits both, and the product starts at the variance of a dense layer.
        bound = (3.0 * (std or default_std(in_features)) / rank**0.5) ** 0.5
        self.U = uniform_((out_features, rank), bound, generator)
        self.V = uniform_((in_features, rank), bound, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self) -> Tensor:
        return self.U @ self.V.T

    def factors(self) -> tuple[Tensor, ...]:
        # `stays_dense` has made sure that the two products cost less than one with W.
        return (self.U, self.V.T)

    def jacobian(self, passes: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        (inputs, between), (products, deltas) = passes
        by_v = (inputs[:, :, None] * between[:, None, :]).flatten(1)
        return {"U": outer(deltas, products), "V": by_v}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, rank={self.U.shape[1]}"
