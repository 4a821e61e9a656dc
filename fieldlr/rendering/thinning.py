"""Which intervals of a training ray are worth a pass with gradients.

Most of what rays cross is empty, or lies behind what they see. A look at the densities alone takes
a quarter of the time of a training pass; intervals are then drawn by how much they can matter, and
those that were unlikely to be drawn count for more, so that what a ray sees is right on average.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.rays import Rays
from fieldlr.rendering.compositing import OPAQUE, transmittances
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.samplers import NUM_STEPS, GridSampler
from fieldlr.rendering.samples import RaySamples, uniform

# One ray in so many goes through cells that no light reaches too: walls come and go.
EXPLORING = 16
# An interval is kept with the chance light * (opacity + HOPE) / SURE: one that is empty now may
# not stay so. Where less than DARKEST of the light is left, nothing is kept.
HOPE, SURE, DARKEST = 0.02, 0.04, 1e-3


@torch.no_grad()
def thinned(field: RadianceField, rays: Rays, generator: torch.Generator) -> RaySamples:
    """Intervals of N rays through a field with a grid, drawn by how much they matter."""
    grid, steps = OccupancyGrid.of(field), NUM_STEPS[field.space.kind]
    few = len(rays) // EXPLORING
    explored = GridSampler(grid, steps, everywhere=True).sample(field.space, rays[:few], generator)
    usual = GridSampler(grid, steps).sample(field.space, rays[few:], generator)
    starts = torch.cat([explored.t_starts, usual.t_starts])
    ends = torch.cat([explored.t_ends, usual.t_ends])
    indices = torch.cat([explored.ray_indices, usual.ray_indices + few])
    samples = RaySamples(starts, ends, indices, len(rays))
    own = rays[indices]
    unit = field.space.warp(own.at(samples.middles))
    lengths = field.space.lengths(own, starts, ends)
    opacity, light = _seen(field, samples, unit, lengths)
    grid.note_light(unit, light)
    chances = (light * (opacity + HOPE) * (1.0 / SURE)).clamp_max(1.0)
    drawn = (uniform(chances.shape, generator, chances.device) < chances) & (light > DARKEST)
    kept = drawn.nonzero()[:, 0]
    return RaySamples(starts[kept], ends[kept], indices[kept], len(rays), chances[kept], len(unit))


def _seen(
    field: RadianceField, samples: RaySamples, unit: Tensor, lengths: Tensor
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Of each interval, its opacity and the light that reaches it."""
    depths = (field.networks[-1].rough_density(unit) * lengths).clamp_max(OPAQUE)
    return -torch.expm1(-depths), transmittances(samples, depths)[0]
