"""Spaces: the map from the world to the cube that a network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.rays import Rays

SpaceKind = Literal["box", "ndc", "contracted"]


@dataclass(frozen=True)
class Space:
    """The map from world space to the cube [-1, 1]^3 of a network, and ray-distance parameters.

    * `box`: the box `aabb`, linearly. Rays run from where they enter to where they leave it.
    * `ndc`: forward-facing cameras near the origin that look along -Z (Mildenhall et al. 2020,
      appendix C): the frustum from the plane z = -near to infinity becomes the cube.
      `ndc_focal` is (2 fx / width, 2 fy / height).
    * `contracted`: the ellipsoid inscribed in `aabb` is kept, everything beyond is contracted into
      a shell of the same thickness (Barron et al. 2022, equation 10); then all is halved.

    The parameter s in [0, 1] along a ray is linear in t (`box`), in inverse depth (`ndc`), or
    linear up to half and in inverse distance beyond (`contracted`).
    """

    kind: SpaceKind
    aabb: Aabb
    near: float = 0.0
    far: float = float("inf")
    ndc_focal: tuple[float, float] = (1.0, 1.0)

    def contract(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
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

    def span(self, rays: Rays) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
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

    def distances(
        self,
        rays: Rays,
        start: Float[Tensor, " n"],
        stop: Float[Tensor, " n"],
        s: Float[Tensor, "n s"],
    ) -> Float[Tensor, "n s"]:
        """Distances t (N, S) at ray parameters s (N, S), given the `span` (start, stop) of rays."""
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

    def lengths(
        self, rays: Rays, t_starts: Float[Tensor, " m"], t_ends: Float[Tensor, " m"]
    ) -> Float[Tensor, " m"]:
        """Lengths (M,) of intervals on rays (M,), in units of the cube: what a density is per."""
        if self.kind == "box":
            return (t_ends - t_starts) * (2.0 / self.aabb.longest_edge)
        return (self.contract(rays.at(t_ends)) - self.contract(rays.at(t_starts))).norm(dim=-1)

    def stretch(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> Float[Tensor, " n"]:
        """Units of the cube per world unit (N,), along unit directions (N, 3) at points (N, 3).

        What `lengths` gives for a very short interval, divided by its length.
        """
        if self.kind == "box":
            return torch.full_like(points[:, 0], 2.0 / self.aabb.longest_edge)
        return torch.func.jvp(self.contract, (points,), (directions,))[1].norm(dim=-1)


# A space for fields that are built to be counted, not to be fitted.
UNIT_BOX = Space("box", Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
