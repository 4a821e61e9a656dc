"""Depth maps of many views to one surface: truncated signed distances, averaged.

Curless and Levoy 1996. A view says of a point how far it lies before what the view sees there; the
mean of what all views say, each by its confidence, is zero on the surface. Nothing is kept on a
grid: the mean is a `Level`, asked where the surface may be and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.geometry.cameras import Cameras
from fieldlr.nn.execution import in_parts

# Points that are asked at a time: what is computed of them stays in the cache.
POINTS_AT_A_TIME = 1 << 15
# Depths that a view sees through stand for this many world units: float32 still subtracts it.
ENDLESS = 1e6
# What views together must be sure of to have seen a point: as much as half of a perfect view.
LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True)
class DepthMap:
    """What one camera sees: how far away it is, and how sure that is."""

    depth: Float[Tensor, "h w"]  # along the ray, world units; infinite where it sees through
    confidence: Float[Tensor, "h w"]  # 0 to 1


@dataclass(frozen=True)
class Sighting:
    """What one view says of M points."""

    pixels: Float[Tensor, "2 m"]  # x, y
    before: Float[Tensor, " m"]  # how far before what is seen there, in truncations
    confidence: Float[Tensor, " m"]
    inside: Bool[Tensor, " m"]  # in the picture
    smooth: Bool[Tensor, " m"]  # the pixels around show one surface


@dataclass(frozen=True)
class Fusion:
    """The surface that depth maps agree on; distances are cut off at `truncation` world units."""

    cameras: Cameras  # perspective and without distortion, one for each map
    maps: tuple[DepthMap, ...]
    truncation: float

    def level(self, points: Float[Tensor, "m 3"]) -> Float[Tensor, " m"]:
        """Signed distances (M,) in truncations, positive inside, at points (M, 3).

        What is hidden behind something in every picture that it lies in is inside; what lies in no
        picture is outside.
        """
        total, weight, hidden, _ = self._votes(points)
        unseen = 2.0 * hidden - 1.0
        return torch.where(weight > 0.0, -total / weight.clamp_min(1e-9), unseen)

    def seen(self, points: Float[Tensor, "m 3"]) -> Bool[Tensor, " m"]:
        """Which points (M, 3) of the surface are sure: within a truncation of what views see.

        The confidence of those views must add up to LEAST_CONFIDENCE.
        """
        return self._votes(points)[3] > LEAST_CONFIDENCE

    def sighting(self, view: int, points: Float[Tensor, "m 3"]) -> Sighting:
        """What one view says of points (M, 3)."""
        width, height = self.cameras.sizes[view].tolist()
        matrix, shift = self._projections[view]
        x, y, z = torch.addmm(shift[:, None], matrix, points.T)
        x, y = x / z, y / z
        inside = (z > 0.0) & (x >= 0.0) & (x < width) & (y >= 0.0) & (y < height)
        column, row = (x - 0.5).clamp(0.0, width - 1.0), (y - 0.5).clamp(0.0, height - 1.0)
        left, upper = torch.where(inside, column, 0.0).long(), torch.where(inside, row, 0.0).long()
        a, b, c, d, smooth, confidence, slant = self._tables[view][upper * width + left].T
        across, down = column - left, row - upper
        nearest = torch.where(across < 0.5, torch.where(down < 0.5, a, c), b.where(down < 0.5, d))
        above, below = a + across * (b - a), c + across * (d - c)
        seen = torch.where(smooth > 0.0, above + down * (below - above), nearest)
        before = (seen - z) * slant / self.truncation
        return Sighting(torch.stack([x, y]), before, confidence, inside, smooth > 0.0)

    def _votes(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(weighted sum of distances, sum of weights, hidden in some view, weights nearby) (M,)."""
        columns = [points.new_zeros(4, 0)]
        columns += in_parts(lambda part: self._sums(points[part]), len(points), POINTS_AT_A_TIME)
        total, weight, hidden, nearby = torch.cat(columns, 1)
        return total, weight, hidden > 0.0, nearby

    def _sums(self, points: Tensor) -> Tensor:
        total, weight, hidden, nearby = torch.zeros(4, len(points))
        for view in range(len(self.maps)):
            sighting = self.sighting(view, points)
            votes = sighting.before > -1.0
            sure = sighting.confidence * (votes & sighting.inside)
            total += sure * sighting.before.clamp(-1.0, 1.0)
            weight += sure
            hidden += ~votes & sighting.inside
            nearby += sure * (sighting.before < 1.0)
        return torch.stack([total, weight, hidden, nearby])

    @cached_property
    def _projections(self) -> list[tuple[Tensor, Tensor]]:
        """Of every view (matrix (3, 3), shift (3,)): a point to (x z, y z, z), z its depth."""
        found = []
        for pose, (fx, fy, cx, cy) in zip(
            self.cameras.camera_to_world.double(), self.cameras.intrinsics.tolist(), strict=True
        ):
            lens = pose.new_tensor([[fx, 0.0, -cx], [0.0, -fy, -cy], [0.0, 0.0, -1.0]])
            matrix = lens @ pose[:, :3].T
            found.append((matrix.float(), (-matrix @ pose[:, 3]).float()))
        return found

    @cached_property
    def _tables(self) -> list[Tensor]:
        """Of every view (H W, 7), a row for each pixel.

        The depths along the axis of the pixel, of its right, lower and last neighbour; whether the
        four are one surface; confidence; 1 / the cosine of its ray to the axis.
        """
        return [self._table(view, part) for view, part in enumerate(self.maps)]

    def _table(self, view: int, part: DepthMap) -> Tensor:
        height, width = part.depth.shape
        axis = -self.cameras.camera_to_world[view, :, 2]
        cosine = (self.cameras.image_rays(view).directions @ axis).view(height, width)
        depth = (part.depth * cosine).clamp_max(ENDLESS)
        padded = torch.nn.functional.pad(depth[None, None], (0, 1, 0, 1), mode="replicate")[0, 0]
        four = [padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]]
        corners = torch.stack(four, -1)
        smooth = corners.amax(-1) - corners.amin(-1) < 2.0 * self.truncation
        rows = torch.stack([*four, smooth.float(), part.confidence, 1.0 / cosine], -1)
        return rows.view(-1, 7)
