"""Axis-aligned boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fieldlr.geometry.rays import Rays

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Aabb:
    """An axis-aligned box."""

    minimum: Vector
    maximum: Vector

    @property
    def size(self) -> Vector:
        return tuple(b - a for a, b in zip(self.minimum, self.maximum, strict=True))

    @property
    def center(self) -> Vector:
        return tuple(0.5 * (a + b) for a, b in zip(self.minimum, self.maximum, strict=True))

    @property
    def longest_edge(self) -> float:
        return max(self.size)

    @staticmethod
    def around(points, padding: float = 0.0) -> Aabb:
        """The box of points (N, 3), an array or a tensor, grown by `padding` (world units)."""
        low, high = points.min(0), points.max(0)
        if isinstance(points, Tensor):
            low, high = low.values, high.values
        return Aabb(tuple(float(v) - padding for v in low), tuple(float(v) + padding for v in high))

    def padded(self, padding: float) -> Aabb:
        """The box grown by `padding` world units on every side."""
        return Aabb(
            tuple(v - padding for v in self.minimum), tuple(v + padding for v in self.maximum)
        )

    def bounds(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(minimum, maximum) as tensors of the type and device of `like`."""
        return like.new_tensor(self.minimum), like.new_tensor(self.maximum)

    def to_unit(self, points: Tensor) -> Tensor:
        """World points to [-1, 1] on each axis."""
        low, high = self.bounds(points)
        return (points - low) * (2.0 / (high - low)) - 1.0

    def from_unit(self, unit: Tensor) -> Tensor:
        """The inverse of `to_unit`."""
        low, high = self.bounds(unit)
        return low + (unit + 1.0) * (0.5 * (high - low))

    def contains(self, points: Tensor) -> Tensor:
        """Booleans (...)."""
        low, high = self.bounds(points)
        return ((points >= low) & (points <= high)).all(-1)

    def intersect(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """Where rays enter and leave (t >= 0); both are 0 for a ray that misses the box."""
        low, high = self.bounds(rays.origins)
        inverse = 1.0 / torch.where(
            rays.directions.abs() < 1e-12, torch.full_like(rays.directions, 1e-12), rays.directions
        )
        a, b = (low - rays.origins) * inverse, (high - rays.origins) * inverse
        enter = torch.minimum(a, b).amax(-1).clamp_min(0.0)
        leave = torch.maximum(a, b).amin(-1)
        hit = leave > enter
        return enter * hit, leave * hit
