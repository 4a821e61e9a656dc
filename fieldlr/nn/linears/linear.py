"""What every linear layer of the package promises, whatever it stores."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.errors import FieldlrError


class Linear(nn.Module):
    """y = W x + b with W (out, in) held in any parameterisation.

    The law: `forward(x) == F.linear(x, dense_weight(), bias)`, whatever route `forward` takes.
    """

    bias: nn.Parameter | None

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features

    def dense_weight(self) -> Tensor:
        """W (out, in), differentiable in the stored numbers."""
        raise NotImplementedError

    def factors(self) -> tuple[Tensor, ...]:
        """Matrices whose product, applied right to left, is W: the cheapest way to multiply."""
        return (self.dense_weight(),)

    def forward(self, x: Tensor) -> Tensor:
        *first, last = reversed(self.factors())
        for factor in first:
            x = functional.linear(x, factor)
        return functional.linear(x, last, self.bias)

    def jacobian(self, passes: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Derivatives of a number by what is stored for W, a row a sample: name to (N, numel).

        `passes` has for each of `factors()`, in the order in which they are applied, what goes in
        (N, in) and the derivatives of the number by what comes out (N, out).
        """
        raise NotImplementedError

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"


def outer(deltas: Tensor, inputs: Tensor) -> Tensor:
    """Derivatives (N, out * in) by a matrix that turns `inputs` (N, in) into (N, out)."""
    return (deltas[:, :, None] * inputs[:, None, :]).flatten(1)


def uniform_(shape, bound: float, generator: torch.Generator | None) -> nn.Parameter:
    """A parameter drawn from U(-bound, bound)."""
    return nn.Parameter((torch.rand(shape, generator=generator) * 2.0 - 1.0) * bound)


def draw_bias(
    in_features: int, out_features: int, bias: bool, generator: torch.Generator | None
) -> nn.Parameter | None:
    """The usual bias: U(-1/sqrt(in), 1/sqrt(in))."""
    return uniform_(out_features, in_features**-0.5, generator) if bias else None


def default_std(in_features: int) -> float:
    """Standard deviation of a dense weight drawn from U(-1/sqrt(in), 1/sqrt(in))."""
    return 1.0 / math.sqrt(3.0 * in_features)


def check_rank(name: str, rank: int) -> None:
    """Raises FieldlrError unless rank is a whole number >= 1."""
    if not isinstance(rank, int) or rank < 1:
        raise FieldlrError(
            f"{name} needs a whole rank >= 1; got {rank}. Use --rank 1 or more, or --backbone full."
        )


def stays_dense(rank: int, in_features: int, out_features: int) -> bool:
    """Whether two factors would store at least as much as W: then the layer is a dense one."""
    return rank * (in_features + out_features) >= in_features * out_features
