"""Axis-aligned boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from fieldlr.geometry.rays import Rays

Vector = tuple[float, float, float]


def vector(numbers: Iterable[float]) -> Vector:
    """Three numbers as a tuple."""
    x, y, z = numbers
    return x, y, z


# A box this many of its edges from the origin leaves float32 too few digits within it.
FAR = 128.0


@dataclass(frozen=True)
class Aabb:
    """An axis-aligned box."""

    minimum: Vector
    maximum: Vector

    @property
    def size(self) -> Vector:
        return vector(b - a for a, b in zip(self.minimum, self.maximum, strict=True))

    @property
    def center(self) -> Vector:
        return vector(0.5 * (a + b) for a, b in zip(self.minimum, self.maximum, strict=True))

    @property
    def longest_edge(self) -> float:
        return max(self.size)

    @staticmethod
    def around(
        points: Float[np.ndarray, "n 3"] | Float[Tensor, "n 3"], padding: float = 0.0
    ) -> Aabb:
        """The box of points (N, 3), an array or a tensor, grown by `padding` (world units)."""
        if isinstance(points, Tensor):
            low, high = points.min(0).values, points.max(0).values
        else:
            low, high = points.min(0), points.max(0)
        return Aabb(
            vector(float(v) - padding for v in low), vector(float(v) + padding for v in high)
        )

    def padded(self, padding: float) -> Aabb:
        """The box grown by `padding` world units on every side."""
        return Aabb(
            vector(v - padding for v in self.minimum), vector(v + padding for v in self.maximum)
        )

    def bounds(self, like: Num[Tensor, " ..."]) -> tuple[Num[Tensor, " 3"], Num[Tensor, " 3"]]:
        """(minimum, maximum) as tensors of the type and device of `like`."""
        return like.new_tensor(self.minimum), like.new_tensor(self.maximum)

    def to_unit(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """World points to [-1, 1] on each axis."""
        low, high = self.bounds(points)
        return (points - low) * (2.0 / (high - low)) - 1.0

    def from_unit(self, unit: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """The inverse of `to_unit`."""
        low, high = self.bounds(unit)
        return low + (unit + 1.0) * (0.5 * (high - low))

    def contains(self, points: Float[Tensor, "*n 3"]) -> Bool[Tensor, "*n"]:
        """Booleans (...)."""
        low, high = self.bounds(points)
        return ((points >= low) & (points <= high)).all(-1)

    def intersect(self, rays: Rays) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
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


def far_offset(box: Aabb) -> Vector:
    """What to subtract from places in a box that is far from the origin: whole numbers, else 0.

    Far is what leaves less than a hundred-thousandth of the box to float32, as UTM coordinates do.
    """
    farthest = max(map(abs, (*box.minimum, *box.maximum)))
    if farthest <= FAR * box.longest_edge:
        return (0.0, 0.0, 0.0)
    # Tiny things near 1 are far too: the offset is whole in a unit near their size.
    unit = 10.0 ** min(0.0, math.floor(math.log10(max(box.longest_edge, 1e-300))))
    return vector(round(value / unit) * unit for value in box.center)


def place(point: Iterable[float], size: float) -> str:
    """A point in words, to a thousandth of `size`, wherever it is."""
    digits = 3 - math.floor(math.log10(max(size, 1e-300)))
    return f"({', '.join(f'{round(value, digits) + 0.0:.15g}' for value in point)})"
