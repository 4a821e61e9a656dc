"""Ray intervals, concatenated over rays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class RaySamples:
    """M intervals of N rays, sorted by ray and by distance, possibly with gaps."""

    t_starts: Float[Tensor, " m"]  # distances along the ray
    t_ends: Float[Tensor, " m"]
    ray_indices: Int[Tensor, " m"]  # int64, ascending
    num_rays: int

    def __len__(self) -> int:
        return len(self.t_starts)

    @property
    def midpoints(self) -> Float[Tensor, " m"]:
        """(M,) distances at which a field is evaluated."""
        return 0.5 * (self.t_starts + self.t_ends)

    @cached_property
    def first(self) -> Int[Tensor, " {self.num_rays}+1"]:
        """(N + 1,) the first interval of each ray, and M at the end."""
        edges = torch.arange(self.num_rays + 1, device=self.ray_indices.device)
        return torch.searchsorted(self.ray_indices, edges)


def uniform(
    shape: Sequence[int], generator: torch.Generator, device: torch.device
) -> Float[Tensor, " ..."]:
    """Random numbers in [0, 1), drawn on the generator's device: a seed is device-independent."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device)
