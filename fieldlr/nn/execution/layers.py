"""What the backends share: a layer, the fast number format, coordinates in two parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

# Raw coordinates need more bits than the fast formats have: they travel as a sum of two numbers.
MAX_SPLIT_FEATURES = 4


@runtime_checkable
class LayerActivation(Protocol):
    """An activation h = f(scale z), as the engine uses it: `scale` is folded into the weights.

    `forward` turns u = scale z into h, in place where it can; `backward` turns dL/dh into
    dL/du / slope in its own buffer, and `slope` is folded into the backward weights in its turn.
    """

    tinycudann: ClassVar[str | None]  # its name there, where `fused` can run it
    slope: ClassVar[float]

    @property
    def scale(self) -> float: ...

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]: ...

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]: ...


@dataclass(frozen=True)
class Layer:
    """h -> activation(weight h + bias); with `skip` the input is [h, x], x being the stack's."""

    weight: Float[Tensor, "out in"]  # float32 or float64, differentiable
    bias: Float[Tensor, " out"] | None
    activation: LayerActivation | None = None
    skip: bool = False


# The outputs (M, out) of some rows to their summed loss and its first derivative (M, out).
LossOfRows = Callable[
    [Float[Tensor, "m out"], slice], tuple[Float[Tensor, ""], Float[Tensor, "m out"]]
]


@lru_cache
def fast_format(device_type: str) -> torch.dtype:
    """The number format in which this kind of device multiplies fastest at enough precision."""
    if device_type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def with_gradients(
    loss: Float[Tensor, ""],
    tensors: Sequence[Float[Tensor, " ..."] | None],
    gradients: Sequence[Float[Tensor, " ..."] | None],
) -> Float[Tensor, ""]:
    """The loss, differentiable in `tensors` by gradients that are already known."""
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
