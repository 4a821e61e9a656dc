"""What every backbone declares, and what every linear layer promises, whatever it stores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.system.entries import Entry, Role
from fieldlr.system.kinds import Whole
from fieldlr.system.options import option

# A function of each entry of a matrix.
MatrixFunction = Callable[[Float[Tensor, "out in"]], Float[Tensor, "out in"]]
# For each factor of a layer, what goes into it and derivatives by what it puts out.
Passes = list[tuple[Float[Tensor, "n _"], Float[Tensor, "n _"]]]


@dataclass(frozen=True)
class Units:
    """Which axes of a layer's tensors run over its output units and over its input units.

    Hidden units may change places; where the activation is even or odd they may change signs,
    which then changes the sign of the first tensor on each side. The codec uses both. A layer
    whose units cannot be moved one by one has none of these.
    """

    outputs: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class LinearConfig(Entry):
    """A backbone: what a layer stores for W, as an entry of LINEARS.

    A new one is a frozen dataclass of its options, each with a default, and a subclass of
    `Linear`; everything that the rest of the package knows of it is declared here and there.
    """

    label: ClassVar[str] = ""  # what the app calls it; empty: its name
    is_dense: ClassVar[bool] = False  # stores W itself
    # Whether small networks end better by second-order steps. Muon is better for dense networks;
    # U V^T is the same for many U and V, and Gauss-Newton ends in poorer minima of it.
    uses_gauss_newton: ClassVar[bool] = False
    has_jacobian: ClassVar[bool] = False  # its layers know the derivatives of an output

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer; `std` is the standard deviation of W at the start (default 1/sqrt(3 in))."""
        raise NotImplementedError

    def num_weights(self, in_features: int, out_features: int) -> int:
        """Parameters that are stored for W (out, in)."""
        raise NotImplementedError


class Linear(nn.Module):
    """y = W x + b with W (out, in) held in any parameterisation.

    The law: `forward(x) == F.linear(x, dense_weight(), bias)`, whatever route `forward` takes.
    """

    bias: Float[nn.Parameter, " out"] | None
    units: ClassVar[Units] = Units()
    is_dense: ClassVar[bool] = False  # stores its whole matrix
    start_at_zero: ClassVar[str | None] = None  # the tensor that makes W zero where it is zero

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features

    def dense_weight(self) -> Float[Tensor, "out in"]:
        """W (out, in), differentiable in the stored parameters."""
        raise NotImplementedError

    def weight_under(self, function: MatrixFunction) -> Float[Tensor, "out in"]:
        """W in float64, with another function in the place of the sine over factors, or of none."""
        return self.dense_weight().double()

    def factors(self) -> tuple[Float[Tensor, "_ _"], ...]:
        """Matrices whose product, applied right to left, is W: the cheapest way to multiply."""
        return (self.dense_weight(),)

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        *first, last = reversed(self.factors())
        for factor in first:
            x = functional.linear(x, factor)
        return functional.linear(x, last, self.bias)

    def roles(self) -> dict[str, Role]:
        """How each of its own tensors learns; by default all but the bias as a factor."""
        names = [name for name, _ in self.named_parameters(recurse=False)]
        return {name: Role("dense" if name == "bias" else "factor") for name in names}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        """Derivatives of one output by what is stored for W, a row a sample: name to (N, numel).

        `passes` has, for each of `factors()` in the order in which they are applied, its input
        (N, in) and the derivatives of the output by what it puts out (N, out). A backbone that
        `has_jacobian` has it; fine-tuning and Gauss-Newton do without where there is none.
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


def uniform_(
    shape: int | tuple[int, ...], bound: float, generator: torch.Generator | None
) -> Float[nn.Parameter, " ..."]:
    """A parameter drawn from U(-bound, bound)."""
    return nn.Parameter((torch.rand(shape, generator=generator) * 2.0 - 1.0) * bound)


def draw_bias(
    in_features: int, out_features: int, bias: bool, generator: torch.Generator | None
) -> Float[nn.Parameter, " {out_features}"] | None:
    """The usual bias: U(-1/sqrt(in), 1/sqrt(in))."""
    return uniform_(out_features, in_features**-0.5, generator) if bias else None


def default_std(in_features: int) -> float:
    """Standard deviation of a dense weight drawn from U(-1/sqrt(in), 1/sqrt(in))."""
    return 1.0 / math.sqrt(3.0 * in_features)


def rank_option(default: int = 5) -> Any:
    """The option `rank` of a factorised backbone."""
    return option(Whole(1), "Columns of U and V: higher is sharper, and a larger file", default)


def stays_dense(rank: int, in_features: int, out_features: int) -> bool:
    """Whether two factors would store at least as much as W: then the layer is a dense one."""
    return rank * (in_features + out_features) >= in_features * out_features
