"""Intervals on rays, packed end to end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class RaySamples:
    """M intervals of N rays, sorted by ray and, on a ray, by distance. They may leave gaps."""

    t_starts: Tensor  # (M,) distances along the ray
    t_ends: Tensor  # (M,)
    ray_indices: Tensor  # (M,) int64, never falling
    num_rays: int

    def __len__(self) -> int:
        return len(self.t_starts)

    @property
    def middles(self) -> Tensor:
        """(M,) where a field is asked."""
        return 0.5 * (self.t_starts + self.t_ends)

    @cached_property
    def first(self) -> Tensor:
        """(N + 1,) where the intervals of a ray begin, and at the end M."""
        edges = torch.arange(self.num_rays + 1, device=self.ray_indices.device)
        return torch.searchsorted(self.ray_indices, edges)


def uniform(shape, generator: torch.Generator, device: torch.device) -> Tensor:
    """Numbers in [0, 1), drawn where the generator lives: a seed means the same on every device."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device)
