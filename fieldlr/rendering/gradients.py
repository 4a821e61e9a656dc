"""What gradients are worth: the same values forward, another weight backward."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.geometry.spaces import Space


def nearness(space: Space, distances: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """What gradients at distances (M,) from a camera are worth: distance^2, at most 1.

    In an endless world a point near a camera is on more of its rays, by 1 / distance^2, than one
    where the views meet; unscaled, fog grows in front of every camera (Philip and Deschaintre 2023,
    "Floaters no more"). In other spaces all are worth the same.
    """
    if space.kind != "contracted":
        return torch.ones_like(distances)
    unit = distances * (2.0 / space.aabb.longest_edge)
    return (unit * unit).clamp_max(1.0)


def scaled_gradient(
    values: Float[Tensor, "*batch"], shares: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch"]:
    """The same values, whose gradients are multiplied by shares (...)."""
    return _ScaledGradient.apply(values, shares)


class _ScaledGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(shares)
        return values.view_as(values)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        (shares,) = ctx.saved_tensors
        return grad * shares, None
