"""Frames: the map from internal coordinates to the user's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.geometry.boxes import Vector, vector


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation; a field's `frame` maps to the user's space."""

    rotation: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    scale: float = 1.0
    translation: Vector = (0.0, 0.0, 0.0)

    def apply(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Points (..., 3) to points (..., 3)."""
        rotation = points.new_tensor(self.rotation)
        return self.scale * points @ rotation.T + points.new_tensor(self.translation)

    def apply_poses(self, camera_to_world: Float[Tensor, "*n 3 4"]) -> Float[Tensor, "*n 3 4"]:
        """Poses (..., 3, 4) to poses (..., 3, 4): positions are mapped, axes only rotated."""
        rotation = camera_to_world.new_tensor(self.rotation)
        positions = self.apply(camera_to_world[..., :, 3])
        return torch.cat([rotation @ camera_to_world[..., :3], positions[..., None]], -1)

    def inverse(self) -> Similarity:
        rotation = torch.tensor(self.rotation, dtype=torch.float64).T
        translation = -rotation @ torch.tensor(self.translation, dtype=torch.float64) / self.scale
        x, y, z = (vector(row) for row in rotation.tolist())
        return Similarity((x, y, z), 1.0 / self.scale, vector(translation.tolist()))
