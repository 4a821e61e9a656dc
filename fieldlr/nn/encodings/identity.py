"""The points themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Identity:
    """Hands the point on as it is."""

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> nn.Module:
        return IdentityEncoding(in_features)

    def num_parameters(self, in_features: int = 3) -> int:
        return 0


class IdentityEncoding(nn.Module):
    """(N, F) to the same (N, F)."""

    def __init__(self, in_features: int):
        super().__init__()
        self.out_features = in_features

    def forward(self, points: Tensor) -> Tensor:
        return points
