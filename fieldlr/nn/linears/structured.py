"""What backbones have in common that store W in a few small tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import (
    Linear,
    LinearConfig,
    MatrixFunction,
    default_std,
    draw_bias,
)
from fieldlr.system import draws
from fieldlr.system.entries import Role

# The learning rate of a tensor is this multiple of its initial size, divided by the number of
# factors in W. With the 0.02 of shapes a step of Adam changes W by a third of its initial spread,
# whatever the structure. Fits of a chess rook with a half or twice of it were worse on the whole.
RATE_OF_SIZE = 24.0

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Structured(LinearConfig):
    """A backbone that never stores more than W: where it would, a layer is dense."""

    has_jacobian = True

    layer: ClassVar[type[StructuredLinear]]

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        """The tensors that hold W (out, in), in the order of the file."""
        raise NotImplementedError

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer whose W starts with the standard deviation of the dense layer."""
        if self._stored(in_features, out_features) >= in_features * out_features:
            return FullLinear(in_features, out_features, bias, generator, std)
        start = std or default_std(in_features)
        return self.layer(self, in_features, out_features, bias, generator, start)

    def num_weights(self, in_features: int, out_features: int) -> int:
        return min(self._stored(in_features, out_features), in_features * out_features)

    def _stored(self, in_features: int, out_features: int) -> int:
        return sum(map(math.prod, self.shapes(in_features, out_features).values()))


class StructuredLinear(Linear):
    """A layer of a `Structured` backbone: random tensors of the sizes given by `start`."""

    num_factors: ClassVar[int] = 2  # in a product that makes an entry of W

    def __init__(
        self,
        config: Structured,
        in_features: int,
        out_features: int,
        bias: bool,
        generator: torch.Generator | None,
        std: float,
    ) -> None:
        super().__init__(in_features, out_features)
        self.config = config
        shapes = config.shapes(in_features, out_features)
        self.sizes = self.start(shapes, std)
        for name, shape in shapes.items():
            self.register_parameter(name, self.draw(name, shape, generator))
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        """The initial standard deviation of each tensor such that `std` is that of W."""
        raise NotImplementedError

    def draw(
        self, name: str, shape: tuple[int, ...], generator: torch.Generator | None
    ) -> Float[nn.Parameter, " ..."]:
        """An initial tensor of the size in `sizes`; uniform, unless its layer says otherwise."""
        return draws.uniform(shape, 3.0**0.5 * self.sizes[name], generator)

    def weight_under(self, function: MatrixFunction) -> Float[Tensor, "out in"]:
        return function(self.dense_weight().double())

    def roles(self) -> dict[str, Role]:
        rate = RATE_OF_SIZE / self.num_factors
        own = {name: Role("factor", rate * size) for name, size in self.sizes.items()}
        return {**super().roles(), **own}

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.config}"


def by_rows(
    slopes: Float[Tensor, "out in"],
    other: Float[Tensor, "in rank"],
    inputs: Float[Tensor, "n in"],
    deltas: Float[Tensor, "n out"],
) -> Float[Tensor, "n _"]:
    """Derivatives (N, out * rank) by U where dW_ij / dU_ir = slopes_ij other_jr.

    They are summed over a row of W, so each column costs one product and no outer product. For V
    exchange the two sides and transpose the slopes.
    """
    columns = [deltas * (inputs @ (slopes * v).T.to(inputs.dtype)) for v in other.T]
    return torch.stack(columns, 2).flatten(1)
