"""Rays, and whole images, through a radiance field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fieldlr.cameras import Cameras
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry import Rays, Vector
from fieldlr.rendering.compositing import Composite, composite
from fieldlr.rendering.samplers import sampler_for

# Intervals that an image is rendered with at a time, at most: 256 MiB at a width of 256.
CHUNK_SAMPLES = 1 << 18
# What a view's edges are divided by, one after the other, where it is shown as it comes.
COARSE_TO_FINE = (8, 4, 2, 1)
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Rendering:
    """An image of a field."""

    rgb: Tensor  # (H, W, 3) in [0, 1]
    depth: Tensor  # (H, W) mean distance along the ray, world units; 0 where nothing is seen
    opacity: Tensor  # (H, W) in [0, 1]


def render_rays(
    field: RadianceField,
    rays: Rays,
    background: Tensor,
    generator: torch.Generator | None = None,
    noise: float = 0.0,
) -> tuple[list[Composite], int]:
    """What N rays see through each network of the field, the finest last, and the samples it took.

    background (3,) or (N, 3); random offsets and density noise need a generator.
    """
    sampler = sampler_for(field)
    composites, previous, num_samples = [], None, 0
    for network in field.networks:
        samples = sampler.sample(field.space, rays, generator, previous)
        own = rays[samples.ray_indices]
        unit = field.space.warp(own.at(samples.middles))
        rgb, density = network(unit, own.directions, noise, generator)
        if field.space.kind == "contracted" and torch.is_grad_enabled():
            nearness = samples.middles * (2.0 / field.space.aabb.longest_edge)
            rgb, density = calmed(rgb, nearness[:, None]), calmed(density, nearness)
        lengths = field.space.lengths(own, samples.t_starts, samples.t_ends)
        composites.append(composite(samples, rgb, density * lengths, background))
        previous = samples, composites[-1].weights
        num_samples += len(samples)
    return composites, num_samples


def calmed(values: Tensor, distances: Tensor) -> Tensor:
    """The same values with gradients times distance^2, at most 1.

    A point near a camera is on more of its rays, by 1 / distance^2, than one where the views meet;
    unscaled, fog grows in front of every camera (Philip and Deschaintre 2023, "Floaters no more").
    """
    share = (distances * distances).clamp_max(1.0)
    return values.detach() * (1.0 - share) + values * share


@torch.no_grad()
def render_image(
    field: RadianceField, cameras: Cameras, index: int, background: Vector = WHITE
) -> Rendering:
    """The view of one camera (internal frame), without any randomness."""
    rays = cameras.image_rays(index)
    size = max(1, CHUNK_SAMPLES // sampler_for(field).most_samples)
    color = rays.origins.new_tensor(background)
    parts = [
        render_rays(field, rays[i : i + size], color)[0][-1] for i in range(0, len(rays), size)
    ]
    width, height = cameras.sizes[index].tolist()
    return Rendering(
        rgb=torch.cat([part.rgb for part in parts]).clamp(0.0, 1.0).view(height, width, 3),
        depth=torch.cat([part.depth for part in parts]).view(height, width),
        opacity=torch.cat([part.opacity for part in parts]).view(height, width),
    )


def render_progressively(
    field: RadianceField, cameras: Cameras, index: int, background: Vector = WHITE
) -> Iterator[Rendering]:
    """The view of one camera, coarse at once and then finer; the last is `render_image`'s.

    All that comes before the last costs a third of it. Stop pulling and nothing more is computed.
    """
    camera = cameras[[index]]
    for divisor in COARSE_TO_FINE:
        size = (camera.sizes // divisor).clamp_min(1)
        yield render_image(field, camera.resized(size), 0, background)
