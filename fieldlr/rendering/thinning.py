"""Training rays with gradients only through the intervals that matter.

Most of what rays cross is empty or occluded. A look at the densities alone takes
a quarter of the time of a training pass; it says how much each
interval can matter, and a few are drawn by that for a pass with gradients. Importance weights keep
the gradients unbiased. A ray is composited in one of two ways:

* rough: from the drawn intervals only, their densities divided by their probabilities. This is
  unbiased, and noisy in fog, which the squared error penalises: fog clears up.
* exact: from all intervals of the look, without noise, as a fit has to end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.rays import Rays
from fieldlr.rendering.compositing import (
    OPAQUE,
    Composite,
    composite,
    ray_sums,
    render_weights,
    transmittances,
)
from fieldlr.rendering.gradients import distance_scale, scale_gradients
from fieldlr.rendering.samplers import GridSampler
from fieldlr.rendering.samples import RaySamples, uniform

Background = Float[Tensor, " 3"] | Float[Tensor, "n 3"]
# One ray in so many also samples cells that no light reaches: occluders come and go.
EXPLORING = 16
# An interval is drawn with probability light * (opacity + HOPE) / SURE: one that is empty now may
# not stay so. Below a transmittance of DARKEST none is drawn.
HOPE, SURE, DARKEST = 0.02, 0.04, 1e-3
# The cost of a density look-up, in passes with gradients.
LOOK_COST = 0.25
# The weight of intervals that were not drawn brightens the others of the ray at most this much.
BRIGHTEST = 2.0


@dataclass(frozen=True)
class Look:
    """M intervals of N rays whose densities were looked at, and the K of them that were drawn."""

    samples: RaySamples
    unit: Float[Tensor, "m 3"]  # their midpoints in the cube
    lengths: Float[Tensor, " m"]  # in units of the cube
    depths: Float[Tensor, " m"]  # optical
    drawn: Int[Tensor, " k"]
    chances: Float[Tensor, " k"]  # that each of these had


def thinned_rays(
    field: RadianceField,
    sampler: GridSampler,
    rays: Rays,
    background: Background,
    generator: torch.Generator,
    rough: bool,
) -> tuple[Composite, int]:
    """What N rays see through a field with one network, and what it cost, in passes."""
    seen = look(field, sampler, rays, generator)
    own, midpoints = rays[seen.samples.ray_indices[seen.drawn]], seen.samples.midpoints[seen.drawn]
    unit = seen.unit[seen.drawn]
    if own.origins.requires_grad:  # Of cameras that learn, points do as well.
        unit = field.space.contract(own.at(midpoints))
    rgb, density = field.networks[-1](unit, own.directions)
    shares = distance_scale(field.space, midpoints)
    if not rough:
        shares = shares / seen.chances
    rgb, density = scale_gradients(rgb, shares[:, None]), scale_gradients(density, shares)
    ending = rough_composite if rough else exact_composite
    cost = len(seen.drawn) + int(LOOK_COST * len(seen.samples))
    return ending(seen, rgb, density, background), cost


@torch.no_grad()
def look(
    field: RadianceField, sampler: GridSampler, rays: Rays, generator: torch.Generator
) -> Look:
    """Looks at the densities along N rays, and draws what matters."""
    few = len(rays) // EXPLORING
    explored = replace(sampler, everywhere=True).sample(field.space, rays[:few], generator)
    usual = sampler.sample(field.space, rays[few:], generator)
    samples = RaySamples(
        torch.cat([explored.t_starts, usual.t_starts]),
        torch.cat([explored.t_ends, usual.t_ends]),
        torch.cat([explored.ray_indices, usual.ray_indices + few]),
        len(rays),
    )
    own = rays[samples.ray_indices]
    unit = field.space.contract(own.at(samples.midpoints))
    lengths = field.space.lengths(own, samples.t_starts, samples.t_ends)
    density = field.networks[-1].rough_density(unit)
    depths = (density * lengths).clamp_max(OPAQUE)
    light = transmittances(samples, depths)[0]
    opacity = -torch.expm1(-depths)
    sampler.grid.note(unit, density, light, opacity)
    chances = (light * (opacity + HOPE) * (1.0 / SURE)).clamp_max(1.0)
    wins = uniform(chances.shape, generator, chances.device) < chances
    drawn = (wins & (light > DARKEST)).nonzero()[:, 0]
    return Look(samples, unit, lengths, depths, drawn, chances[drawn])


def rough_composite(
    seen: Look, rgb: Float[Tensor, "k 3"], density: Float[Tensor, " k"], background: Background
) -> Composite:
    """What N rays see of the drawn intervals alone, those that were unlikely that much denser."""
    return composite(
        _drawn(seen), rgb, density * seen.lengths[seen.drawn] / seen.chances, background
    )


def exact_composite(
    seen: Look, rgb: Float[Tensor, "k 3"], density: Float[Tensor, " k"], background: Background
) -> Composite:
    """What N rays see of all intervals; the others take their colour from the drawn ones."""
    drawn = seen.drawn
    depths = seen.depths.index_copy(0, drawn, density * seen.lengths[drawn])
    weights, transmittance = render_weights(seen.samples, depths)
    few, own = _drawn(seen), weights[drawn]
    with torch.no_grad():
        share = (1.0 - transmittance) / ray_sums(few, own[:, None])[:, 0].clamp_min(1e-9)
    color = ray_sums(few, own[:, None] * rgb) * share.clamp(1.0, BRIGHTEST)[:, None]
    rgb = color + transmittance[:, None] * background
    return Composite(seen.samples, rgb, 1.0 - transmittance, weights)


def _drawn(seen: Look) -> RaySamples:
    every, drawn = seen.samples, seen.drawn
    starts, ends = every.t_starts[drawn], every.t_ends[drawn]
    return RaySamples(starts, ends, every.ray_indices[drawn], every.num_rays)
