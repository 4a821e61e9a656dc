"""The loss of an occupancy field: binary cross-entropy of its logits, and its derivatives."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.execution import LossOfRows, layers_loss


def mean_cross_entropy(
    field: OccupancyField, points: Float[Tensor, "n 3"], target: Float[Tensor, "n 1"]
) -> Float[Tensor, ""]:
    """The mean binary cross-entropy at points (N, 3) with targets 0 or 1 (N, 1)."""
    if field.config.encoding.learns:
        return functional.binary_cross_entropy_with_logits(field.level(points)[:, None], target)
    encoded = field.encoded(points)
    return layers_loss(field.mlp.layers(), encoded, cross_entropy(target)) / len(points)


def cross_entropy(target: Float[Tensor, "n 1"]) -> LossOfRows:
    """The summed binary cross-entropy of logits with `target` (N, 1), and its gradient."""

    def of_rows(logits: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        loss = functional.binary_cross_entropy_with_logits(logits, target[rows], reduction="sum")
        return loss, torch.sigmoid(logits) - target[rows]

    return of_rows


def curvature(logits: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Its second derivative, at least 1e-3 so that saturated voxels may still change."""
    inside = torch.sigmoid(logits)
    return (inside * (1.0 - inside)).clamp_min(1e-3)
