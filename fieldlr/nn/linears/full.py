"""`full`: W itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fieldlr.nn.linears.linear import Linear, default_std, draw_bias, outer, uniform_


@dataclass(frozen=True)
class Full:
    """Stores W: out * in numbers."""

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
        """Numbers stored for W."""
        return in_features * out_features


class FullLinear(Linear):
    """A dense layer."""

    def __init__(self, in_features, out_features, bias=True, generator=None, std=None):
        super().__init__(in_features, out_features)
        bound = 3.0**0.5 * (std or default_std(in_features))
        self.weight = uniform_((out_features, in_features), bound, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self) -> Tensor:
        return self.weight

    def jacobian(self, passes: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        ((inputs, deltas),) = passes
        return {"weight": outer(deltas, inputs)}
