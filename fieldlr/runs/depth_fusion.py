"""A field of photos to a surface: its depth maps from many cameras, fused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.rendering.depth_views import DepthView, depth_view
from fieldlr.runs.viewpoints import Viewpoints
from fieldlr.surface.fusion import DepthMap, Fusion

OPAQUE = 0.5  # a ray that keeps more of its light than this sees through
# Distances are cut off at so many spreads of the usual depth, but at no more than this share of the
# longest edge and at no less than so many cells.
SPREADS, LARGEST_SHARE, CELLS = 6.0, 0.05, 3.0
# Without a box of its own, a scene reaches as far as these shares of what is seen along each axis.
NEARLY_ALL, MARGIN = (0.02, 0.98), 0.02
POINTS_AT_A_TIME = 1 << 15
SHARPNESS = 4.0  # the power of the cosine by which a view counts for a colour


@dataclass(frozen=True)
class Fused:
    """The looks at a field, and the surface that they agree on."""

    field: RadianceField
    looks: tuple[DepthView, ...]
    fusion: Fusion
    aabb: Aabb

    def colors(
        self, points: Float[Tensor, "m 3"], normals: Float[Tensor, "m 3"]
    ) -> UInt8[np.ndarray, "m 3"]:
        """Colours (M, 3) of points (M, 3) of the surface, from the views that see them best."""

        parts = zip(points.split(POINTS_AT_A_TIME), normals.split(POINTS_AT_A_TIME), strict=True)
        colors = torch.cat([self._mixed(*part) for part in parts])
        return (colors * 255.0).round().byte().numpy()

    @torch.no_grad()
    def _mixed(self, points: Tensor, normals: Tensor) -> Tensor:
        total = torch.zeros(len(points), 4)
        for view, seen in enumerate(self.looks):
            sighting = self.fusion.sighting(view, points)
            toward = self.fusion.cameras.camera_to_world[view, :, 3] - points
            cosine = (torch.nn.functional.normalize(toward, dim=-1) * normals).sum(-1).clamp_min(0)
            visible = sighting.inside & sighting.smooth & (sighting.before.abs() < 0.5)
            weight = visible * sighting.confidence * cosine**SHARPNESS
            height, width = seen.depth.shape
            place = (2.0 * sighting.pixels / torch.tensor([[width], [height]]) - 1.0).T
            picture = seen.rgb.permute(2, 0, 1)[None]
            rgb = torch.nn.functional.grid_sample(
                picture, place[None, None], padding_mode="border", align_corners=False
            )[0, :, 0].T
            weight = torch.where(weight > 0.0, weight, 0.0)
            rgb = torch.where(weight[:, None] > 0.0, rgb, 0.0)
            total += torch.cat([rgb, torch.ones_like(rgb[:, :1])], 1) * weight[:, None]
        colors = total[:, :3] / total[:, 3:].clamp_min(1e-9)
        unseen = (total[:, 3] < 1e-6).nonzero()[:, 0]
        if len(unseen):
            colors[unseen] = self.field.radiance(points[unseen], -normals[unseen])[0]
        return colors


def fused(field: RadianceField, viewpoints: Viewpoints, resolution: int) -> Fused:
    """The surface of a field of photos, for a mesh of `resolution` samples along its box."""
    cameras = viewpoints.cameras
    looks = tuple(depth_view(field, cameras, i, viewpoints.background) for i in range(len(cameras)))
    aabb = field.aabb if field.space.kind == "box" else _region(viewpoints, looks)
    seen = torch.cat([some.spread[some.opacity > OPAQUE].flatten() for some in looks])
    usual = float(seen.median()) if len(seen) else 0.0
    cell = aabb.longest_edge / (resolution - 1)
    truncation = max(min(SPREADS * usual, LARGEST_SHARE * aabb.longest_edge), CELLS * cell)
    maps = tuple(_depth_map(some, truncation / SPREADS) for some in looks)
    return Fused(field, looks, Fusion(cameras, maps, truncation), aabb)


def _depth_map(seen: DepthView, usual: float) -> DepthMap:
    """Depths count less where a ray meets its light over more than the usual spread."""
    opaque = seen.opacity > OPAQUE
    sharp = 1.0 / (1.0 + (seen.spread / usual) ** 2)
    return DepthMap(
        torch.where(opaque, seen.depth, torch.inf),
        torch.where(opaque, seen.opacity * sharp, 1.0 - seen.opacity),
    )


def _region(viewpoints: Viewpoints, looks: tuple[DepthView, ...]) -> Aabb:
    """The box of nearly all that is seen, of as many points of each view."""
    points = []
    for index, seen in enumerate(looks):
        rays = viewpoints.cameras.image_rays(index)
        opaque = (seen.opacity > OPAQUE).flatten().nonzero()[:, 0]
        chosen = opaque[:: max(1, len(opaque) // 2000)]
        points.append(rays[chosen].at(seen.depth.flatten()[chosen]))
    cloud = torch.cat(points)
    if not len(cloud):
        return Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))  # Nothing is opaque: an empty surface.
    low, high = torch.quantile(cloud, torch.tensor(NEARLY_ALL), dim=0)
    margin = MARGIN * float((high - low).max()) + 1e-6
    return Aabb(vector((low - margin).tolist()), vector((high + margin).tolist()))
