"""What the backends share: a layer, the fast number format, coordinates in two parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from fieldlr.activations import Activation

# Raw coordinates need more bits than the fast formats have: they travel as a sum of two numbers.
MAX_SPLIT_FEATURES = 4


@dataclass(frozen=True)
class Layer:
    """h -> activation(weight h + bias); with `skip` the input is [h, x], x being the stack's."""

    weight: Tensor  # (out, in), float32 or float64, differentiable
    bias: Tensor | None
    activation: Activation | None = None
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
