"""Ray samplers: the intervals at which a field is evaluated.

A sampler proposes intervals for each network in turn, given the previous network's result or None
for the first. Random offsets come from a generator; without one the intervals are deterministic.
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

# Candidates looked up in the occupancy grid at a time, so that they stay in the cache; more on a
# GPU.
CHUNK, GPU_CHUNK = 65536, 1 << 22
# Steps along the diagonal of a box, or along a whole ray of an unbounded space.
NUM_STEPS = {"box": 192, "ndc": 128, "contracted": 128}
# Views take steps so many times as short. The random offsets of training average over what lies
# within a step; a view has none, and long steps roughen its surfaces.
FINER = {"box": 2.0, "ndc": 1.0, "contracted": 1.0}
# The longest path of a ray through the cube.
DIAGONAL = 2.0 * math.sqrt(3.0)


@dataclass(frozen=True)
class GridSampler:
    """Equal steps along the ray, without intervals whose midpoint is in an empty cell."""

    grid: OccupancyGrid
    num_steps: int
    everywhere: bool = False  # include dense cells that no light reaches

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
        """Intervals of N rays; the randomness is one shift per ray of all its steps."""
        offsets = torch.zeros_like(rays.origins[:, 0])
        if generator is not None:
            offsets = uniform(offsets.shape, generator, offsets.device)
        start, stop = space.span(rays)
        step_size = torch.full_like(start, 1.0 / self.num_steps)
        if space.kind == "box":
            # The same step length on every ray, whatever its chord.
            chord = (stop - start) * (2.0 / space.aabb.longest_edge)
            step_size = DIAGONAL / self.num_steps / chord.clamp_min(1e-6)
        if compiled.takes(rays.origins):
            from fieldlr.rendering import march_kernels

            marching = start, stop, step_size, offsets
            return march_kernels.march(space, self._occupied, rays, marching, self.num_steps)
        size = max(1, (GPU_CHUNK if offsets.is_cuda else CHUNK) // self.num_steps)
        parts = []
        for first in range(0, max(1, len(rays)), size):
            some = slice(first, first + size)
            part = self._march(
                space, rays[some], start[some], stop[some], step_size[some], offsets[some]
            )
            parts.append((*part[:2], part[2] + first))
        starts, ends, indices = (torch.cat(column) for column in zip(*parts, strict=True))
        return RaySamples(starts, ends, indices, len(rays))

    @property
    def _occupied(self) -> Tensor:
        return self.grid.dense if self.everywhere else self.grid.occupied

    def _march(
        self,
        space: Space,
        rays: Rays,
        start: Tensor,
        stop: Tensor,
        step_size: Tensor,
        offsets: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The occupied intervals of one chunk of rays."""
        steps = torch.arange(self.num_steps + 2, device=start.device, dtype=start.dtype)
        edges = ((steps - 1.0 + offsets[:, None]) * step_size[:, None]).clamp_(0.0, 1.0)
        t = distances(space, rays, start, stop, edges)
        t_starts, t_ends = t[:, :-1], t[:, 1:]
        ray, step = (t_ends > t_starts).nonzero(as_tuple=True)
        t_starts, t_ends = t_starts[ray, step], t_ends[ray, step]
        cells = self.grid.cells(space.contract(rays[ray].at(0.5 * (t_starts + t_ends))))
        kept = self._occupied.view(-1)[cells].nonzero()[:, 0]
        return t_starts[kept], t_ends[kept], ray[kept]


@dataclass(frozen=True)
class HierarchicalSampler:
    """Stratified intervals for a coarse network, then importance sampling for the fine one.

    Mildenhall et al. 2020, section 5.2: the fine network is evaluated on the union of both.
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
        """Intervals of N rays; `previous` has the coarse network's intervals and weights (M,)."""
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
    step_size: Float[Tensor, "n s"],
) -> Float[Tensor, "n s"]:
    """`Space.distances`, clamped to `stop` against float32 rounding."""
    return torch.minimum(space.distances(rays, start, stop, step_size), stop[:, None])


def inverse_cdf(
    edges: Float[Tensor, "n e"],
    weights: Float[Tensor, "n e-1"],
    count: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n {count}"]:
    """Positions (N, count) distributed as the weights (N, S) of bins with edges (N, S + 1).

    Each of `count` equal parts of the distribution gives one position: its midpoint, or a random
    position with a generator.
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


def sampler_for(field: RadianceField, coarser: float = 1.0) -> GridSampler | HierarchicalSampler:
    """The sampler that trains a field: hierarchical for coarse and fine networks, else a grid."""
    if len(field.networks) > 1:
        return HierarchicalSampler()
    return grid_sampler(field, coarser)


def view_sampler(field: RadianceField) -> GridSampler | HierarchicalSampler:
    """The sampler of views, with shorter steps."""
    return sampler_for(field, 1.0 / FINER[field.space.kind])


def grid_sampler(field: RadianceField, coarser: float = 1.0) -> GridSampler:
    """The grid sampler of a field, with steps `coarser` times as long as in training."""
    num_steps = round(NUM_STEPS[field.space.kind] / coarser)
    return GridSampler(OccupancyGrid.of(field), num_steps)
