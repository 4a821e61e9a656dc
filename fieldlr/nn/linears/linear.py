"""The interface of a backbone's config and of its linear layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.system import draws
from fieldlr.system.entries import Entry, Role
from fieldlr.system.kinds import Whole
from fieldlr.system.options import option

# An element-wise function of a matrix.
MatrixFunction = Callable[[Float[Tensor, "out in"]], Float[Tensor, "out in"]]
# For each factor of a layer, its inputs and the derivatives by its outputs.
Passes = list[tuple[Float[Tensor, "n _"], Float[Tensor, "n _"]]]


@dataclass(frozen=True)
class Units:
    """Which axes of a layer's tensors run over its output units and over its input units.

    The codec permutes hidden units and, where the activation is even or odd, flips their signs,
    which flips the sign of the first tensor on each side; without `signs`, that would not flip the
    sign of W. A layer whose units cannot be permuted leaves both empty.
    """

    outputs: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    signs: bool = True


@dataclass(frozen=True)
class LinearConfig(Entry):
    """The config of a backbone: how layers parameterise W, as an entry of LINEARS.

    A new one is a frozen dataclass of its options, each with a default, and a subclass of
    `Linear`; these two declare all that the rest of the package needs.
    """

    label: ClassVar[str] = ""  # what the app calls it; empty: its name
    is_dense: ClassVar[bool] = False  # stores W itself
    # Whether Gauss-Newton trains small networks better. Dense networks do better with Muon;
    # for U V^T, which has many equivalent U and V, Gauss-Newton ends in poorer minima.
    uses_gauss_newton: ClassVar[bool] = False
    has_jacobian: ClassVar[bool] = False  # whether its layers implement `jacobian`

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer; `std` is the initial standard deviation of W (default 1/sqrt(3 in))."""
        raise NotImplementedError

    def num_weights(self, in_features: int, out_features: int) -> int:
        """The number of parameters of W (out, in)."""
        raise NotImplementedError


class Linear(nn.Module):
    """y = W x + b with W (out, in) in any parameterisation.

    Invariant: `forward(x) == F.linear(x, dense_weight(), bias)`.
    """

    bias: Float[nn.Parameter, " out"] | None
    units: ClassVar[Units] = Units()
    is_dense: ClassVar[bool] = False  # stores W itself
    start_at_zero: ClassVar[str | None] = None  # the tensor to zero so that W is zero

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features

    def dense_weight(self) -> Float[Tensor, "out in"]:
        """W (out, in), differentiable in the stored parameters."""
        raise NotImplementedError

    def weight_under(self, function: MatrixFunction) -> Float[Tensor, "out in"]:
        """W in float64 with `function` in place of the sine or identity over its factors."""
        return self.dense_weight().double()

    def factors(self) -> tuple[Float[Tensor, "_ _"], ...]:
        """Matrices whose product is W, applied right to left: the cheapest way to multiply."""
        return (self.dense_weight(),)

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        *first, last = reversed(self.factors())
        for factor in first:
            x = functional.linear(x, factor)
        return functional.linear(x, last, self.bias)

    def roles(self) -> dict[str, Role]:
        """The role in training of each own tensor; by default a factor, except the bias."""
        names = [name for name, _ in self.named_parameters(recurse=False)]
        return {name: Role("dense" if name == "bias" else "factor") for name in names}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        """Derivatives of one output by the parameters of W, per sample: name to (N, numel).

        `passes` has, for each of `factors()` in order of application, its inputs (N, in) and the
        derivatives of the output by its outputs (N, out). Needed only with `has_jacobian`;
        otherwise training and fine-tuning use first-order steps.
        """
        raise NotImplementedError

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


def outer(
    deltas: Float[Tensor, "n rows"], inputs: Float[Tensor, "n columns"]
) -> Float[Tensor, "n rows*columns"]:
    """Derivatives (N, out * in) by a matrix that turns `inputs` (N, in) into (N, out)."""
    return (deltas[:, :, None] * inputs[:, None, :]).flatten(1)


def draw_bias(
    in_features: int, out_features: int, bias: bool, generator: torch.Generator | None
) -> Float[nn.Parameter, " {out_features}"] | None:
    """A bias from U(-1/sqrt(in), 1/sqrt(in)), as in `nn.Linear`."""
    return draws.uniform(out_features, in_features**-0.5, generator) if bias else None


def default_std(in_features: int) -> float:
    """Standard deviation of a dense weight drawn from U(-1/sqrt(in), 1/sqrt(in))."""
    return 1.0 / math.sqrt(3.0 * in_features)


def rank_option(default: int = 5) -> Any:
    """The option `rank` of a factorised backbone."""
    text = "Columns of U and V: higher is sharper, and a larger file"
    return option(Whole(1), text, default, shown_default="5 for most backbones")


def stays_dense(rank: int, in_features: int, out_features: int) -> bool:
    """Whether two factors would be at least as large as W, so that the layer is dense."""
    return rank * (in_features + out_features) >= in_features * out_features
