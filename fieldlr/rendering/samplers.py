"""Where on a ray a field is asked: two samplers behind one interface.

A sampler proposes intervals for one network after the other; each time it sees what the network
before found, or None for the first. Random offsets come from a generator; without one the
intervals are the same at every call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.rays import Rays
from fieldlr.geometry.spaces import Space
from fieldlr.nn.execution import compiled
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.samples import RaySamples, uniform

# Candidates that are looked up in the occupancy grid at a time; they stay in the cache. A GPU looks
# up more at once.
CHUNK, GPU_CHUNK = 65536, 1 << 22
# Steps along the diagonal of a box, or along a whole ray of an endless space.
NUM_STEPS = {"box": 192, "ndc": 128, "contracted": 128}
# A ray's longest way through the cube.
DIAGONAL = 2.0 * math.sqrt(3.0)


@dataclass(frozen=True)
class GridSampler:
    """Equal steps along the ray; intervals whose middle is in an empty cell are left out."""

    grid: OccupancyGrid
    num_steps: int
    everywhere: bool = False  # through dense cells that no light reaches too

    @property
    def most_samples(self) -> int:
        """Intervals that a ray may get, at most."""
        return self.num_steps + 1

    def sample(
        self,
        space: Space,
        rays: Rays,
        generator: torch.Generator | None = None,
        previous: tuple[RaySamples, Float[Tensor, " m"]] | None = None,
    ) -> RaySamples:
        """Intervals of N rays; all random offsets of a ray are one shift of its steps."""
        offsets = torch.zeros_like(rays.origins[:, 0])
        if generator is not None:
            offsets = uniform(offsets.shape, generator, offsets.device)
        start, stop = space.span(rays)
        pace = torch.full_like(start, 1.0 / self.num_steps)
        if space.kind == "box":
            # Steps of one length on every ray, whatever its chord.
            chord = (stop - start) * (2.0 / space.aabb.longest_edge)
            pace = DIAGONAL / self.num_steps / chord.clamp_min(1e-6)
        if compiled.takes(rays.origins):
            from fieldlr.rendering import march_kernels

            along = start, stop, pace, offsets
            return march_kernels.walk(space, self._occupied, rays, along, self.num_steps)
        size = max(1, (GPU_CHUNK if offsets.is_cuda else CHUNK) // self.num_steps)
        parts = []
        for first in range(0, max(1, len(rays)), size):
            some = slice(first, first + size)
            part = self._walk(space, rays[some], start[some], stop[some], pace[some], offsets[some])
            parts.append((*part[:2], part[2] + first))
        starts, ends, indices = (torch.cat(column) for column in zip(*parts, strict=True))
        return RaySamples(starts, ends, indices, len(rays))

    @property
    def _occupied(self) -> Tensor:
        return self.grid.dense if self.everywhere else self.grid.occupied

    def _walk(
        self, space: Space, rays: Rays, start: Tensor, stop: Tensor, pace: Tensor, offsets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The occupied intervals of a few rays."""
        steps = torch.arange(self.num_steps + 2, device=start.device, dtype=start.dtype)
        edges = ((steps - 1.0 + offsets[:, None]) * pace[:, None]).clamp_(0.0, 1.0)
        t = distances(space, rays, start, stop, edges)
        t_starts, t_ends = t[:, :-1], t[:, 1:]
        ray, step = (t_ends > t_starts).nonzero(as_tuple=True)
        t_starts, t_ends = t_starts[ray, step], t_ends[ray, step]
        cells = self.grid.cells(space.warp(rays[ray].at(0.5 * (t_starts + t_ends))))
        kept = self._occupied.view(-1)[cells].nonzero()[:, 0]
        return t_starts[kept], t_ends[kept], ray[kept]


@dataclass(frozen=True)
class HierarchicalSampler:
    """Stratified intervals for a coarse network, then as many again where it saw something.

    Mildenhall et al. 2020, section 5.2: the fine network is asked on the union of both.
    """

    num_coarse: int = 64
    num_fine: int = 64

    @property
    def most_samples(self) -> int:
        """Intervals that a ray may get, at most."""
        return self.num_coarse + self.num_fine

    def sample(
        self,
        space: Space,
        rays: Rays,
        generator: torch.Generator | None = None,
        previous: tuple[RaySamples, Float[Tensor, " m"]] | None = None,
    ) -> RaySamples:
        """Intervals of N rays; `previous` is the coarse network's intervals and weights (M,)."""
        start, stop = space.span(rays)
        edges = torch.linspace(0.0, 1.0, self.num_coarse + 1, device=start.device)
        edges = edges.expand(len(rays), -1)
        if previous is not None:
            weights = previous[1].view(len(rays), -1)
            extra = inverse_cdf(edges, weights, self.num_fine, generator)
            edges = torch.cat([edges, extra], -1).sort(-1).values
        elif generator is not None:
            jitter = uniform(edges[:, 1:-1].shape, generator, edges.device)
            inner = edges[:, 1:-1] + (jitter - 0.5) / self.num_coarse
            edges = torch.cat([edges[:, :1], inner, edges[:, -1:]], -1)
        t = distances(space, rays, start, stop, edges)
        ray_indices = torch.arange(len(rays), device=t.device).repeat_interleave(t.shape[1] - 1)
        return RaySamples(t[:, :-1].flatten(), t[:, 1:].flatten(), ray_indices, len(rays))


def distances(
    space: Space,
    rays: Rays,
    start: Float[Tensor, " n"],
    stop: Float[Tensor, " n"],
    pace: Float[Tensor, "n s"],
) -> Float[Tensor, "n s"]:
    """`Space.distances`, but never past the end: float32 rounds the far end of a pace outwards."""
    return torch.minimum(space.distances(rays, start, stop, pace), stop[:, None])


def inverse_cdf(
    edges: Float[Tensor, "n e"],
    weights: Float[Tensor, "n e-1"],
    count: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n {count}"]:
    """Positions (N, count) spread as the weights (N, S) of the bins between edges (N, S + 1).

    Each of `count` equal parts of the distribution gives one position: its middle, or a random
    one with a generator.
    """
    weights = weights.detach() + 1e-5
    cdf = torch.cat([torch.zeros_like(weights[:, :1]), weights.cumsum(-1)], -1)
    cdf = cdf / cdf[:, -1:]
    within = 0.5
    if generator is not None:
        within = uniform((len(weights), count), generator, weights.device)
    parts = torch.arange(count, device=weights.device, dtype=weights.dtype)
    u = ((parts + within) / count).expand(len(weights), count).contiguous()
    upper = torch.searchsorted(cdf, u, right=True).clamp(1, weights.shape[1])
    low, high = cdf.gather(1, upper - 1), cdf.gather(1, upper)
    part = (u - low) / (high - low).clamp_min(1e-9)
    left, right = edges.gather(1, upper - 1), edges.gather(1, upper)
    return left + part.clamp(0.0, 1.0) * (right - left)


def sampler_for(field: RadianceField) -> GridSampler | HierarchicalSampler:
    """The sampler of a field: two networks refine, one has a grid."""
    if len(field.networks) > 1:
        return HierarchicalSampler()
    return grid_sampler(field)


def grid_sampler(field: RadianceField, coarser: float = 1.0) -> GridSampler:
    """The sampler of a field with a grid, in steps that are so many times as long."""
    num_steps = round(NUM_STEPS[field.space.kind] / coarser)
    return GridSampler(OccupancyGrid.of(field), num_steps)
