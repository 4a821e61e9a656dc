"""What cameras see of a field besides its colours: how far away, how sharply, how opaque."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.nn.execution import in_parts
from fieldlr.rendering.compositing import median_depths
from fieldlr.rendering.render import BLACK, CHUNK_SAMPLES, render_rays, see_rays
from fieldlr.rendering.samplers import sampler_for

# The spread of a depth is the distance between these shares of what a ray sees.
QUARTILES = (0.25, 0.75)


@dataclass(frozen=True)
class DepthView:
    """One picture of a field, with depths along the rays in world units of its frame."""

    rgb: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]  # where half of what a ray sees is met; 0 where it sees nothing
    spread: Float[Tensor, "h w"]  # of the depth: between the quartiles of what a ray sees
    opacity: Float[Tensor, "h w"]


@torch.no_grad()
def depth_view(
    field: RadianceField, cameras: Cameras, index: int, background: Vector | None = None
) -> DepthView:
    """What one camera sees, without any randomness."""
    rays = cameras.image_rays(index)
    color = rays.origins.new_tensor(background or BLACK)

    def part(some: slice) -> Tensor:
        single = len(field.networks) == 1
        seen = (
            see_rays(field, rays[some], color)[0]
            if single
            else render_rays(field, rays[some], color)[0][-1]
        )
        near, far = (median_depths(seen.samples, seen.weights, share) for share in QUARTILES)
        return torch.stack([*seen.rgb.T, seen.depth, far - near, seen.opacity])

    size = max(1, CHUNK_SAMPLES // sampler_for(field).most_samples)
    columns = torch.cat(list(in_parts(part, len(rays), size)), 1)
    width, height = cameras.sizes[index].tolist()
    maps = columns.view(6, height, width)
    return DepthView(maps[:3].permute(1, 2, 0).clamp(0.0, 1.0), *maps[3:])
