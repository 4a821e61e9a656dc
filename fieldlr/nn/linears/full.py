"""The backbone `full`: a dense W."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.linear import (
    Linear,
    LinearConfig,
    Passes,
    Units,
    default_std,
    draw_bias,
    outer,
)
from fieldlr.system import draws
from fieldlr.system.entries import Role


@dataclass(frozen=True)
class Full(LinearConfig):
    """Stores W: out * in parameters."""

    name = "full"
    number = 0
    label = "Best quality"
    summary = "every weight is stored: the best quality, the largest file"
    is_dense = True
    has_jacobian = True

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> FullLinear:
        """W ~ U with standard deviation `std` (default 1/sqrt(3 in), as `nn.Linear`)."""
        return FullLinear(in_features, out_features, bias, generator, std)

    def num_weights(self, in_features: int, out_features: int) -> int:
        return in_features * out_features


class FullLinear(Linear):
    """A dense layer."""

    units = Units({"weight": 0}, {"weight": 1})
    is_dense = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        bound = 3.0**0.5 * (std or default_std(in_features))
        self.weight = draws.uniform((out_features, in_features), bound, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return self.weight

    def roles(self) -> dict[str, Role]:
        square = self.in_features == self.out_features
        return {**super().roles(), "weight": Role("matrix" if square else "dense")}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        return {"weight": outer(deltas, inputs)}
