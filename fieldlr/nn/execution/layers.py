"""What the backends share: a layer, the fast number format, coordinates in two parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

# Raw coordinates need more bits than the fast formats have: they travel as a sum of two numbers.
MAX_SPLIT_FEATURES = 4


@runtime_checkable
class LayerActivation(Protocol):
    """An activation h = f(scale z), as the engine uses it: `scale` is folded into the weights.

    `forward` turns u = scale z into h, in place where it can; `backward` turns dL/dh into
    dL/du / slope in its own buffer, and `slope` is folded into the backward weights in its turn.
    """

    @property
    def tinycudann(self) -> str | None:
        """Its name in tiny-cuda-nn, where `fused` can run it."""
        ...

    @property
    def scale(self) -> float: ...

    @property
    def slope(self) -> float: ...

    def forward(self, u: Tensor) -> Tensor: ...

    def backward(self, grad: Tensor, u: Tensor, h: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Layer:
    """h -> activation(weight h + bias); with `skip` the input is [h, x], x being the stack's."""

    weight: Tensor  # (out, in), float32 or float64, differentiable
    bias: Tensor | None
    activation: LayerActivation | None = None
    skip: bool = False


# The outputs (M, out) of some rows to their summed loss and its first derivative (M, out).
LossOfRows = Callable[[Tensor, slice], tuple[Tensor, Tensor]]


@lru_cache
def fast_format(device_type: str) -> torch.dtype:
    """The number format in which this kind of device multiplies fastest at enough precision."""
    if device_type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def with_gradients(
    loss: Tensor, tensors: list[Tensor | None], gradients: list[Tensor | None]
) -> Tensor:
    """The loss, differentiable in `tensors` by gradients that are already known."""
    return _WithGradients.apply(loss, gradients, *tensors)


class _WithGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss, gradients, *tensors):
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    def backward(ctx, grad):
        return (None, None, *(None if g is None else g * grad for g in ctx.gradients))
