"""Fusion of depth maps into one surface by truncated signed distances (TSDF).

Curless and Levoy 1996. For a view, the distance of a point is how far it lies in front of the
surface seen in its pixel; the confidence-weighted mean over all views is zero on the surface. There
is no voxel grid: the mean is a `Level`, evaluated only near the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.geometry.cameras import Cameras
from fieldlr.nn.execution import in_parts

# Points evaluated at a time: intermediate results stay in the cache.
POINTS_AT_A_TIME = 1 << 15
# The depth, in world units, of pixels without a surface: finite for float32 arithmetic.
ENDLESS = 1e6
# The least sum of confidences over views of a point on a seen surface.
LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True)
class DepthMap:
    """Depths of one view and their confidence."""

    depth: Float[Tensor, "h w"]  # along the ray, world units; infinite without a surface
    confidence: Float[Tensor, "h w"]  # 0 to 1


@dataclass(frozen=True)
class Sighting:
    """M points as measured by one view."""

    pixels: Float[Tensor, "2 m"]  # x, y
    before: Float[Tensor, " m"]  # signed distance in front of the surface, in truncations
    confidence: Float[Tensor, " m"]
    inside: Bool[Tensor, " m"]  # within the image
    smooth: Bool[Tensor, " m"]  # no depth discontinuity between the surrounding pixels


@dataclass(frozen=True)
class Fusion:
    """A surface fused from depth maps; distances are truncated at `truncation` world units."""

    cameras: Cameras  # perspective and undistorted, one per map
    maps: tuple[DepthMap, ...]
    truncation: float

    def level(self, points: Float[Tensor, "m 3"]) -> Float[Tensor, " m"]:
        """Signed distances (M,) in truncations, positive inside, at points (M, 3).

        Points occluded in all images that contain them are inside; points in no image are outside.
        """
        total, weight, hidden, _ = self._votes(points)
        unseen = 2.0 * hidden - 1.0
        return torch.where(weight > 0.0, -total / weight.clamp_min(1e-9), unseen)

    def seen(self, points: Float[Tensor, "m 3"]) -> Bool[Tensor, " m"]:
        """Which surface points (M, 3) have been seen: within a truncation of views' depths.

        The confidences of those views must sum to LEAST_CONFIDENCE.
        """
        return self._votes(points)[3] > LEAST_CONFIDENCE

    def sighting(self, view: int, points: Float[Tensor, "m 3"]) -> Sighting:
        """Points (M, 3) as measured by one view."""
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
        """(weighted sum of distances, sum of weights, occluded in a view, nearby weights) (M,)."""
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
        """Per view (matrix (3, 3), shift (3,)) that map a point to (x z, y z, z), z its depth."""
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
        """Per view (H W, 7), a row for each pixel.

        The axial depths of the pixel and its right, lower and lower right neighbours; whether the
        four are one surface; the confidence; 1 / the cosine between its ray and the axis.
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
