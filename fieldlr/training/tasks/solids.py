"""The ground-truth surface of a solid, and the signs of a field on its grid."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.data.volume import OccupancyVolume
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.nn.execution import fast_format
from fieldlr.surface import extract

# Logits this close to the threshold in the fast dtype are recomputed in float32.
UNCERTAIN_LOGIT = 1.0


def surface_of(volume: OccupancyVolume) -> TriangleMesh:
    """The mesh that a solid came from, else marching cubes over its voxel centres."""
    return volume.mesh or _boolean_surface(volume)


def _boolean_surface(volume: OccupancyVolume) -> TriangleMesh:
    counts = torch.tensor(volume.shape)

    def level(points: Tensor) -> Tensor:
        # The box of voxel centres, padded by one empty voxel on all sides.
        index = (around.to_unit(points) + 1.0).mul_(0.5) * (counts + 1) - 1.0
        nearest = index.round().long()
        known = ((nearest >= 0) & (nearest < counts)).all(-1)
        i, j, k = nearest.clamp_min(0).minimum(counts - 1).unbind(-1)
        flat = (i * volume.shape[1] + j) * volume.shape[2] + k
        return (volume.occupied(flat) & known).float() - 0.5

    half = [0.5 * size for size in volume.voxel_size]
    low = vector(v - h for v, h in zip(volume.aabb.minimum, half, strict=True))
    high = vector(v + h for v, h in zip(volume.aabb.maximum, half, strict=True))
    around = Aabb(low, high)
    return extract(level, around, max(volume.shape) + 2, dense=True).mesh


def field_signs(field: OccupancyField, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
    """Whether each of the points (N, 3) is inside, by float32 arithmetic."""
    encoded = field.encoded(points)
    fast = fast_format(points.device.type)
    logits = field.mlp(encoded, fast)[:, 0]
    if fast != torch.float32:
        uncertain = (logits.abs() < UNCERTAIN_LOGIT).nonzero()[:, 0]
        logits[uncertain] = field.mlp(encoded[uncertain])[:, 0]
    return logits > 0.0
