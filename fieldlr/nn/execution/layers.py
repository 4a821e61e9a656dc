"""Common parts of the backends: the layer, the fast dtype, losses with known gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

# Raw coordinates need more bits than the fast dtypes have: they are split into a sum of two.
MAX_SPLIT_FEATURES = 4


@runtime_checkable
class LayerActivation(Protocol):
    """An activation h = f(scale z) as the engine uses it, with `scale` folded into the weights.

    `forward` computes h from u = scale z, in place where it can; `backward` computes dL/du / slope
    from dL/dh in place, and `slope` is folded into the weights of the backward pass.
    """

    tinycudann: ClassVar[str | None]  # its name in tiny-cuda-nn, if `fused` supports it
    slope: ClassVar[float]

    @property
    def scale(self) -> float: ...

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]: ...


@dataclass(frozen=True)
class Layer:
    """h -> activation(weight h + bias); with `skip` the input is [h, x], x the stack's input."""

    weight: Float[Tensor, "out in"]  # float32 or float64, differentiable
    bias: Float[Tensor, " out"] | None
    activation: LayerActivation | None = None
    skip: bool = False


# Maps the outputs (M, out) of some rows to their summed loss and its gradient (M, out).
LossOfRows = Callable[
    [Float[Tensor, "m out"], slice], tuple[Float[Tensor, ""], Float[Tensor, "m out"]]
]


@lru_cache
def fast_format(device_type: str) -> torch.dtype:
    """The dtype of fastest products on this type of device that is precise enough to train."""
    if device_type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def with_gradients(
    loss: Float[Tensor, ""],
    tensors: Sequence[Float[Tensor, " ..."] | None],
    gradients: Sequence[Float[Tensor, " ..."] | None],
) -> Float[Tensor, ""]:
    """The loss, differentiable in `tensors` with precomputed gradients."""
    return _WithGradients.apply(loss, gradients, *tensors)


class _WithGradients(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, loss: Tensor, gradients: Sequence[Tensor | None], *tensors: Tensor | None
    ) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        return (None, None, *(None if g is None else g * grad for g in ctx.gradients))
