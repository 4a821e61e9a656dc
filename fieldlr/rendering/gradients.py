"""Gradient scaling: unchanged values forward, scaled gradients backward."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.geometry.spaces import Space


def distance_scale(space: Space, distances: Float[Tensor, " m"]) -> Float[Tensor, " m"]:
    """The gradient scale at distances (M,) from a camera: distance^2, at most 1.

    In an unbounded scene a point near a camera is on more of its rays, in proportion to
    1 / distance^2; without scaling, floaters grow in front of every camera (Philip and Deschaintre
    2023, "Floaters no more"). In other spaces the scale is 1.
    """
    if space.kind != "contracted":
        return torch.ones_like(distances)
    unit = distances * (2.0 / space.aabb.longest_edge)
    return (unit * unit).clamp_max(1.0)


def scale_gradients(
    values: Float[Tensor, "*batch"], scales: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch"]:
    """The same values, with gradients multiplied by scales (...)."""
    return _ScaleGradients.apply(values, scales)


class _ScaleGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scales: Tensor) -> Tensor:
        ctx.save_for_backward(scales)
        return values.view_as(values)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None]:
        (scales,) = ctx.saved_tensors
        return grad * scales, None
