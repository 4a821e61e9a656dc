"""Rendering of rays and images of a radiance field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.fields.networks import RadianceNetwork
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rays import Rays
from fieldlr.nn.execution import in_parts
from fieldlr.rendering.compositing import Composite, composite, ray_sums, render_weights
from fieldlr.rendering.gradients import distance_scale, scale_gradients
from fieldlr.rendering.samplers import GridSampler, HierarchicalSampler, view_sampler
from fieldlr.rendering.samples import RaySamples

# Most intervals rendered at a time: 256 MiB at a width of 256.
CHUNK_SAMPLES = 1 << 20
# So many rays of a view tell how many intervals a ray has, taken as at least this share of all.
PROBES, LEAST_SHARE = 512, 1 / 8
# A ray's intervals are evaluated in these slabs until its transmittance is below exp(-DARK).
SLABS = (0, 8, 16, 32, 48, 64, 96, 128, 1 << 20)
DARK = 7.0
# An interval that contributes less than this share of its ray's opacity gets no own colour.
FAINT = 2e-4
# The successive downscale factors of a progressive rendering.
COARSE_TO_FINE = (8, 4, 2, 1)
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Rendering:
    """An image of a field."""

    rgb: Float[Tensor, "h w 3"]  # in [0, 1]
    # Median distance along the ray in world units; 0 where the ray sees nothing.
    depth: Float[Tensor, "h w"]
    opacity: Float[Tensor, "h w"]  # in [0, 1]


def render_rays(
    field: RadianceField,
    rays: Rays,
    background: Float[Tensor, " 3"] | Float[Tensor, "n 3"],
    generator: torch.Generator | None = None,
    noise: float = 0.0,
    sampler: GridSampler | HierarchicalSampler | None = None,
) -> tuple[list[Composite], int]:
    """The composites of N rays by each network, the finest last, and the number of samples.

    background: (3,) or (N, 3); random offsets and density noise need a generator. The sampler
    defaults to that of views.
    """
    sampler = sampler or view_sampler(field)
    composites, previous, num_samples = [], None, 0
    for network in field.networks:
        samples = sampler.sample(field.space, rays, generator, previous)
        own = rays[samples.ray_indices]
        unit = field.space.contract(own.at(samples.midpoints))
        rgb, density = network(unit, own.directions, noise, generator)
        if torch.is_grad_enabled():
            scales = distance_scale(field.space, samples.midpoints)
            rgb, density = scale_gradients(rgb, scales[:, None]), scale_gradients(density, scales)
        lengths = field.space.lengths(own, samples.t_starts, samples.t_ends)
        composites.append(composite(samples, rgb, density * lengths, background))
        previous = samples, composites[-1].weights
        num_samples += len(samples)
    return composites, num_samples


@torch.no_grad()
def evaluate_rays(
    field: RadianceField, rays: Rays, background: Float[Tensor, " 3"] | Float[Tensor, "n 3"]
) -> tuple[Composite, int]:
    """The composite of N rays by a field with one network, and the number of evaluations.

    As `render_rays` without randomness, but rays terminate early, and colours of intervals that
    contribute next to nothing are skipped: together a change below 8-bit precision.
    """
    network, samples = field.networks[-1], view_sampler(field).sample(field.space, rays)
    own = rays[samples.ray_indices]
    unit = field.space.contract(own.at(samples.midpoints))
    lengths = field.space.lengths(own, samples.t_starts, samples.t_ends)
    place = torch.arange(len(samples), device=unit.device) - samples.first[samples.ray_indices]
    optical = torch.zeros_like(lengths)
    passed, evaluated = lengths.new_zeros(len(rays)), 0
    features = lengths.new_empty(0)
    for low, high in pairwise(SLABS):
        within = (place >= low) & (place < high) & (passed[samples.ray_indices] < DARK)
        chosen = within.nonzero()[:, 0]
        if low and len(chosen) == 0:
            break
        density, found = network.density(unit[chosen])
        optical[chosen] = density * lengths[chosen]
        passed.index_add_(0, samples.ray_indices[chosen], optical[chosen])
        if low == 0:
            features = found.new_zeros(len(samples), found.shape[1])
        features[chosen] = found
        evaluated += len(chosen)
    return _colored(network, samples, own, features, optical, background), evaluated


def _colored(
    network: RadianceNetwork,
    samples: RaySamples,
    rays: Rays,
    features: Tensor,
    optical: Tensor,
    background: Tensor,
) -> Composite:
    """The composite of given optical depths, with colours of the relevant intervals only."""
    weights, transmittance = render_weights(samples, optical)
    coloured = (weights > FAINT * (1.0 - transmittance)[samples.ray_indices]).nonzero()[:, 0]
    rgb = weights.new_zeros(len(samples), 3)
    rgb[coloured] = network.color(features[coloured], rays.directions[coloured])
    kept = torch.zeros_like(weights)
    kept[coloured] = weights[coloured]
    # The share of the skipped intervals goes to the others of the same ray.
    share = (1.0 - transmittance) / ray_sums(samples, kept[:, None])[:, 0].clamp_min(1e-9)
    rgb *= share[samples.ray_indices, None]
    return composite(samples, rgb, optical, background)


def rays_at_once(field: RadianceField, rays: Rays) -> int:
    """How many of N rays are rendered together, so that they have about CHUNK_SAMPLES intervals.

    Most intervals of most fields are in empty cells: fewer rays would leave small batches.
    """
    sampler = view_sampler(field)
    most = sampler.most_samples
    if isinstance(sampler, GridSampler):
        some = sampler.sample(field.space, rays[:: len(rays) // PROBES + 1])
        most = max(int(some.first.diff().max()), int(LEAST_SHARE * most))
    return max(1, CHUNK_SAMPLES // most)


@torch.no_grad()
def render_image(
    field: RadianceField, cameras: Cameras, index: int, background: Vector = WHITE
) -> Rendering:
    """The view of one camera (internal frame), deterministic, as tensors on the CPU."""
    rays = cameras.to(field.cell_density.device).image_rays(index)
    color = rays.origins.new_tensor(background)

    def part(some: slice) -> Composite:
        if len(field.networks) == 1:
            return evaluate_rays(field, rays[some], color)[0]
        return render_rays(field, rays[some], color)[0][-1]

    parts = list(in_parts(part, len(rays), rays_at_once(field, rays)))
    width, height = cameras.sizes[index].tolist()
    return Rendering(
        rgb=torch.cat([part.rgb for part in parts]).cpu().clamp(0.0, 1.0).view(height, width, 3),
        depth=torch.cat([part.depth for part in parts]).cpu().view(height, width),
        opacity=torch.cat([part.opacity for part in parts]).cpu().view(height, width),
    )


def render_progressively(
    field: RadianceField, cameras: Cameras, index: int, background: Vector = WHITE
) -> Iterator[Rendering]:
    """Yields the view of one camera from coarse to full resolution, as of `render_image`.

    The coarse ones take together a third of the time of the last. Stop iterating to cancel.
    """
    camera = cameras[[index]]
    for divisor in COARSE_TO_FINE:
        size = (camera.sizes // divisor).clamp_min(1)
        yield render_image(field, camera.resized(size), 0, background)
