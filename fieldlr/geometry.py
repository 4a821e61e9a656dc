"""Boxes, frames, rays and spaces.

Conventions of the whole package, stated here and nowhere else:

* World: right-handed, +Z up. A mesh or volume lives in the user's own coordinates; a photo scene
  lives in an internal frame, and `Similarity` says how to come back to the user's.
* Camera: OpenGL: +X right, +Y up, looking along -Z. `camera_to_world` is 3 x 4, `[R | t]`.
* Pixel (column x, row y) has its centre at (x + 0.5, y + 0.5); (0, 0) is the top left corner.
* Ray directions are of unit length, so `t` is a distance in world units.
* Points are float tensors whose last axis is 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Rays:
    """Half-lines `origins + t directions`, t >= 0. Both (..., 3); directions of unit length."""

    origins: Tensor
    directions: Tensor

    def at(self, t: Tensor) -> Tensor:
        """Points (..., 3) at distances t (...)."""
        return self.origins + t[..., None] * self.directions

    def __getitem__(self, index) -> Rays:
        return Rays(self.origins[index], self.directions[index])

    def __len__(self) -> int:
        return len(self.origins)


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


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + translation; a field's `frame` leads to the user's space."""

    rotation: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    scale: float = 1.0
    translation: Vector = (0.0, 0.0, 0.0)

    def apply(self, points: Tensor) -> Tensor:
        """Points (..., 3) to points (..., 3)."""
        rotation = points.new_tensor(self.rotation)
        return self.scale * points @ rotation.T + points.new_tensor(self.translation)

    def apply_poses(self, camera_to_world: Tensor) -> Tensor:
        """Poses (..., 3, 4) to poses (..., 3, 4): positions are mapped, axes only rotated."""
        rotation = camera_to_world.new_tensor(self.rotation)
        positions = self.apply(camera_to_world[..., :, 3])
        return torch.cat([rotation @ camera_to_world[..., :3], positions[..., None]], -1)

    def inverse(self) -> Similarity:
        rotation = torch.tensor(self.rotation, dtype=torch.float64).T
        translation = -rotation @ torch.tensor(self.translation, dtype=torch.float64) / self.scale
        return Similarity(
            tuple(tuple(row) for row in rotation.tolist()),
            1.0 / self.scale,
            tuple(translation.tolist()),
        )


SpaceKind = Literal["box", "ndc", "contracted"]


@dataclass(frozen=True)
class Space:
    """How world space becomes the cube [-1, 1]^3 that a network sees, and how rays are paced in it.

    * `box`: the box `aabb`, linearly. Rays run from where they enter to where they leave it.
    * `ndc`: forward-facing cameras near the origin that look along -Z (Mildenhall et al. 2020,
      appendix C): the frustum from the plane z = -near to infinity becomes the cube.
      `ndc_focal` is (2 fx / width, 2 fy / height).
    * `contracted`: the ellipsoid inscribed in `aabb` stays as it is, everything beyond is squeezed
      into a shell of the same thickness (Barron et al. 2022, equation 10), then halved.

    The pace s in [0, 1] along a ray is linear in t (`box`), in inverse depth (`ndc`), or linear up
    to half and in inverse distance beyond (`contracted`).
    """

    kind: SpaceKind
    aabb: Aabb
    near: float = 0.0
    far: float = float("inf")
    ndc_focal: tuple[float, float] = (1.0, 1.0)

    def warp(self, points: Tensor) -> Tensor:
        """World points (..., 3) to the cube."""
        if self.kind == "box":
            return self.aabb.to_unit(points)
        if self.kind == "ndc":
            x, y, z = points.unbind(-1)
            z = z.clamp_max(-1e-9)
            fx, fy = self.ndc_focal
            return torch.stack([-fx * x / z, -fy * y / z, 1.0 + 2.0 * self.near / z], -1)
        unit = self.aabb.to_unit(points)
        norm = unit.norm(dim=-1, keepdim=True).clamp_min(1e-9)
        return 0.5 * torch.where(norm <= 1.0, unit, (2.0 - 1.0 / norm) * unit / norm)

    def span(self, rays: Rays) -> tuple[Tensor, Tensor]:
        """(start, stop) (N,): t at s = 0 and at s = 1; equal where a ray has nothing to see."""
        if self.kind == "box":
            enter, leave = self.aabb.intersect(rays)
            enter = enter.clamp_min(self.near)
            return enter, torch.maximum(leave.clamp_max(self.far), enter)
        if self.kind == "ndc":
            start = -(self.near + rays.origins[..., 2]) / rays.directions[..., 2].clamp_max(-1e-6)
            return start, torch.full_like(start, float("inf"))
        start = torch.full_like(rays.origins[..., 0], self.near)
        return start, torch.full_like(start, min(self.far, 1e6 * self.aabb.longest_edge))

    def distances(self, rays: Rays, start: Tensor, stop: Tensor, s: Tensor) -> Tensor:
        """Distances t (N, S) of paces s (N, S) on rays (N,) whose `span` is start, stop (N,)."""
        start, stop = start[..., None], stop[..., None]
        if self.kind == "box":
            return start + (stop - start) * s
        if self.kind == "ndc":
            slope = -rays.directions[..., 2:].clamp_max(-1e-6)
            return start + self.near * s / ((1.0 - s).clamp_min(1e-6) * slope)
        unit = 0.5 * self.aabb.longest_edge

        def pace(t: Tensor) -> Tensor:
            t = t / unit
            return torch.where(t < 1.0, 0.5 * t, 1.0 - 0.5 / t.clamp_min(1e-9))

        u = pace(start) + (pace(stop) - pace(start)) * s
        return unit * torch.where(u < 0.5, 2.0 * u, 0.5 / (1.0 - u).clamp_min(1e-9))

    def lengths(self, rays: Rays, t_starts: Tensor, t_ends: Tensor) -> Tensor:
        """Lengths (M,) of intervals on rays (M,), in units of the cube: what a density is per."""
        if self.kind == "box":
            return (t_ends - t_starts) * (2.0 / self.aabb.longest_edge)
        return (self.warp(rays.at(t_ends)) - self.warp(rays.at(t_starts))).norm(dim=-1)
