"""Depth, depth spread and opacity maps of a field, beside its colours."""

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
from fieldlr.rendering.render import BLACK, evaluate_rays, rays_at_once, render_rays

# The spread of a depth is the distance between these quantiles of a ray's opacity.
QUARTILES = (0.25, 0.75)


@dataclass(frozen=True)
class DepthView:
    """One view of a field, with depths along the rays in world units of its frame."""

    rgb: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]  # median; 0 where a ray sees nothing
    spread: Float[Tensor, "h w"]  # interquartile range of the depth
    opacity: Float[Tensor, "h w"]


@torch.no_grad()
def depth_view(
    field: RadianceField, cameras: Cameras, index: int, background: Vector | None = None
) -> DepthView:
    """The view of one camera, deterministic."""
    rays = cameras.image_rays(index)
    color = rays.origins.new_tensor(background or BLACK)

    def part(some: slice) -> Tensor:
        single = len(field.networks) == 1
        seen = (
            evaluate_rays(field, rays[some], color)[0]
            if single
            else render_rays(field, rays[some], color)[0][-1]
        )
        near, far = (median_depths(seen.samples, seen.weights, share) for share in QUARTILES)
        return torch.stack([*seen.rgb.T, seen.depth, far - near, seen.opacity])

    columns = torch.cat(list(in_parts(part, len(rays), rays_at_once(field, rays))), 1)
    width, height = cameras.sizes[index].tolist()
    maps = columns.view(6, height, width)
    return DepthView(maps[:3].permute(1, 2, 0).clamp(0.0, 1.0), *maps[3:])
