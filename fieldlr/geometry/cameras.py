"""Cameras: from pixels to rays and from points to pixels.

The conventions (OpenGL axes, pixel centres at +0.5, unit directions) are those of `geometry`.
Lenses follow OpenCV, whose image y axis points down: its normalised coordinates (x, y) are
((column - cx) / fx, (row - cy) / fy), and the ray of an ideal lens is (x, -y, -1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from fieldlr.geometry.arrays import ArrayLike
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.rays import Rays

CameraModel = Literal["perspective", "fisheye"]
# Newton's method doubles the digits with each step: a strong lens takes five or six.
NEWTON_STEPS, NEWTON_TOLERANCE = 12, 1e-9


@dataclass(frozen=True)
class Cameras:
    """N posed cameras of one lens model; `cameras[i]` and a loop give cameras one by one.

    The frame of a camera is OpenGL's: +X right, +Y up, looking along -Z; `camera_to_world` is
    [R | t], whose columns are these axes and the camera's place in the world. The world is
    right-handed, in the caller's units. Pixel (column x, row y) has its centre at (x + 0.5,
    y + 0.5), and (0, 0) is the top left corner of the image. `of`, `looking_at` and `orbit` make
    cameras from plain arrays; `rays` and `project` lead from pixels to the world and back.

    `perspective` multiplies (x, y) by 1 + k1 r^2 + k2 r^4 + k3 r^6 + k4 r^8 and adds the
    tangential terms of p1, p2; `fisheye` images the angle theta to the axis at the radius
    theta (1 + k1 theta^2 + ... + k4 theta^8). Both are OpenCV's definitions.
    """

    camera_to_world: Float[Tensor, "n 3 4"]  # float32, but float64 in the user's frame
    intrinsics: Float[Tensor, "n 4"]  # fx fy cx cy in pixels
    sizes: Int[Tensor, "n 2"]  # int64 width, height
    distortion: Float[Tensor, "n 6"]  # k1 k2 k3 k4 p1 p2, zeros for an ideal lens
    model: CameraModel = "perspective"

    @staticmethod
    def of(camera_to_world: ArrayLike, focal: ArrayLike, size: ArrayLike, **lens: Any) -> Cameras:
        """Cameras from arrays, each for all cameras or with a row for each of them.

        camera_to_world: (3, 4), (4, 4), (n, 3, 4) or (n, 4, 4). focal: pixels, one number or
        (fx, fy). size: (width, height). Of the lens, by keyword: `center`, the principal point
        (cx, cy), by default the middle; `distortion` (k1, k2, k3, k4, p1, p2); `model`
        "perspective" or "fisheye"; `convention` "opencv" where +Y of the camera points down and
        it looks along +Z (COLMAP too), instead of "opengl".
        """
        from fieldlr.geometry.placement import posed_cameras

        return posed_cameras(camera_to_world, focal, size, **lens)

    @staticmethod
    def looking_at(positions: ArrayLike, target: ArrayLike, **view: Any) -> Cameras:
        """Cameras at positions (3,) or (n, 3) that look at a target (3,) or (n, 3).

        By keyword: `size` (width, height), 400 x 400; `field_of_view`, vertical, 40 degrees; `up`,
        +Z.
        """
        from fieldlr.geometry.placement import looking_cameras

        return looking_cameras(positions, target, **view)

    @staticmethod
    def orbit(center: ArrayLike, radius: float, count: int = 60, **view: Any) -> Cameras:
        """`count` cameras on a circle around the vertical through `center`, which they look at.

        They begin towards +X, `elevation` (20) degrees above the horizon. By keyword also `size`
        and `field_of_view`, as for `looking_at`.
        """
        from fieldlr.geometry.placement import orbiting_cameras

        return orbiting_cameras(center, radius, count, **view)

    def __len__(self) -> int:
        return len(self.camera_to_world)

    def __iter__(self) -> Iterator[Cameras]:
        return (self[index : index + 1] for index in range(len(self)))

    def __repr__(self) -> str:
        sizes = {f"{width} x {height}" for width, height in self.sizes.tolist()}
        size = sizes.pop() if len(sizes) == 1 else f"{len(sizes)} sizes"
        return f"Cameras: {len(self)} {self.model}, {size}"

    def __getitem__(
        self, index: int | slice | list[int] | Int[Tensor, " m"] | Bool[Tensor, " n"]
    ) -> Cameras:
        """The chosen cameras; one index gives a batch of one."""
        if isinstance(index, int):
            index = slice(index, index + 1) if index != -1 else slice(-1, None)
        return self._map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> Cameras:
        return self._map(lambda tensor: tensor.to(device))

    def rays(self, camera_indices: Int[Tensor, " #m"], pixels: Num[Tensor, "m 2"]) -> Rays:
        """Rays (M,) through pixels (M, 2) = (x, y) of the cameras (M,), or (1,) for all."""
        intrinsics = self.intrinsics[camera_indices].double()
        normalised = (pixels.double() - intrinsics[:, 2:]) / intrinsics[:, :2]
        directions = self._unproject(normalised, self.distortion[camera_indices].double())
        pose = self.camera_to_world[camera_indices]
        # A sum of products: thousands of 3 x 3 matrix products one by one are far slower.
        directions = torch.nn.functional.normalize(directions, dim=-1).to(pose.dtype)
        world = (pose[:, :, :3] * directions[:, None, :]).sum(-1)
        return Rays(pose[:, :, 3].expand_as(world), torch.nn.functional.normalize(world, dim=-1))

    def image_rays(self, index: int) -> Rays:
        """Rays (H * W,) of the pixel centres of one camera, row by row."""
        width, height = self.sizes[index].tolist()
        device = self.intrinsics.device
        rows, columns = torch.meshgrid(
            torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
        )
        pixels = torch.stack([columns, rows], -1).reshape(-1, 2) + 0.5
        return self.rays(torch.tensor([index], device=device), pixels)

    def project(
        self, index: int, points: Float[Tensor, "p 3"]
    ) -> tuple[Float[Tensor, "p 2"], Float[Tensor, " p"]]:
        """Pixels (P, 2) and depths (P,) along the optical axis of world points (P, 3).

        The inverse of `rays`. A point with depth <= 0 is not seen by a perspective camera.
        """
        pose, intrinsics = self.camera_to_world[index].double(), self.intrinsics[index].double()
        local = (points.double() - pose[:, 3]) @ pose[:, :3]
        x, y, depth = local[:, 0], -local[:, 1], -local[:, 2]
        distortion = self.distortion[index].double()
        if self.model == "fisheye":
            radius = torch.hypot(x, y)
            distorted = _fisheye(torch.atan2(radius, depth), distortion[None])[0]
            normalised = torch.stack([x, y], -1) * (distorted / radius.clamp_min(1e-12))[:, None]
        else:
            divisor = torch.where(depth.abs() < 1e-12, 1e-12, depth)
            normalised = torch.stack([x, y], -1) / divisor[:, None]
            normalised = _distort(normalised, distortion[None])
        pixels = normalised * intrinsics[:2] + intrinsics[2:]
        return pixels.to(points.dtype), depth.to(points.dtype)

    def resized(self, to: float | Int[Tensor, "n 2"]) -> Cameras:
        """The same views at other sizes: a factor, or widths and heights (N, 2).

        Sizes are whole; the intrinsics follow the sizes, so the field of view stays exactly.
        """
        if isinstance(to, Tensor):
            sizes = to.to(self.sizes).expand_as(self.sizes)
        else:
            sizes = (self.sizes * to).round().clamp_min(1).long()
        scale = (sizes.double() / self.sizes.double()).repeat(1, 2)
        intrinsics = (self.intrinsics.double() * scale).to(self.intrinsics.dtype)
        return replace(self, sizes=sizes, intrinsics=intrinsics)

    def sampled(self, view: int, stride: int) -> Cameras:
        """One view of every `stride`-th pixel, an odd number, from the middle of the first block.

        The rays are those of `image[stride // 2 :: stride, stride // 2 :: stride]`.
        """
        one = self[view]
        sizes = (one.sizes + (stride - 1 - stride // 2)) // stride
        return replace(one, sizes=sizes, intrinsics=one.intrinsics / stride)

    def transformed(self, similarity: Similarity) -> Cameras:
        """The cameras seen in another frame."""
        return replace(self, camera_to_world=similarity.apply_poses(self.camera_to_world))

    def in_single_precision(self) -> Cameras:
        """The cameras in float32."""
        return replace(self, camera_to_world=self.camera_to_world.float())

    @cached_property
    def _ideal(self) -> bool:
        return not bool(self.distortion.any())

    def _map(self, function: Callable[[Tensor], Tensor]) -> Cameras:
        return Cameras(
            function(self.camera_to_world),
            function(self.intrinsics),
            function(self.sizes),
            function(self.distortion),
            self.model,
        )

    def _unproject(self, normalised: Tensor, distortion: Tensor) -> Tensor:
        """Camera-space directions (M, 3), of any length, of normalised coordinates (M, 2)."""
        if self.model == "fisheye":
            radius = normalised.norm(dim=-1)
            theta = radius if self._ideal else _undistort_fisheye(radius, distortion)
            across = normalised * (theta.sin() / radius.clamp_min(1e-12))[:, None]
            return torch.stack([across[:, 0], -across[:, 1], -theta.cos()], -1)
        ideal = normalised if self._ideal else _undistort(normalised, distortion)
        return torch.stack([ideal[:, 0], -ideal[:, 1], -torch.ones_like(ideal[:, 0])], -1)


def _polynomial(squared: Tensor, distortion: Tensor) -> tuple[Tensor, Tensor]:
    """1 + k1 q + k2 q^2 + k3 q^3 + k4 q^4 and its derivative, for q (M,) and (M or 1, 6)."""
    k1, k2, k3, k4 = distortion[:, :4].unbind(-1)
    value = 1 + squared * (k1 + squared * (k2 + squared * (k3 + squared * k4)))
    slope = k1 + squared * (2 * k2 + squared * (3 * k3 + squared * 4 * k4))
    return value, slope


def _distort(ideal: Tensor, distortion: Tensor) -> Tensor:
    """Ideal normalised coordinates (M, 2) to those that the lens gives."""
    x, y = ideal.unbind(-1)
    p1, p2 = distortion[:, 4], distortion[:, 5]
    squared = x * x + y * y
    radial, _ = _polynomial(squared, distortion)
    return torch.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (squared + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (squared + 2 * y * y),
        ],
        -1,
    )


def _undistort(distorted: Tensor, distortion: Tensor) -> Tensor:
    """The inverse of `_distort`, by Newton's method.

    A strong lens folds over far outside its picture: where the Jacobian is no longer positive
    there is no inverse, and the last good point is kept.
    """
    p1, p2 = distortion[:, 4], distortion[:, 5]
    ideal = distorted
    for _ in range(NEWTON_STEPS):
        x, y = ideal.unbind(-1)
        radial, slope = _polynomial(x * x + y * y, distortion)
        across = 2 * slope * x * y + 2 * p1 * x + 2 * p2 * y
        xx = radial + 2 * slope * x * x + 2 * p1 * y + 6 * p2 * x
        yy = radial + 2 * slope * y * y + 6 * p1 * y + 2 * p2 * x
        determinant = xx * yy - across * across
        left, up = (_distort(ideal, distortion) - distorted).unbind(-1)
        step = torch.stack([yy * left - across * up, xx * up - across * left], -1)
        step = step * ((determinant > 1e-6) / determinant.clamp_min(1e-6))[:, None]
        ideal = ideal - step
        if step.abs().max() < NEWTON_TOLERANCE:
            break
    return ideal


def _fisheye(theta: Tensor, distortion: Tensor) -> tuple[Tensor, Tensor]:
    """The image radius of angles theta (M,) to the axis, and its derivative."""
    value, slope = _polynomial(theta * theta, distortion)
    return theta * value, value + 2 * theta * theta * slope


def _undistort_fisheye(radius: Tensor, distortion: Tensor) -> Tensor:
    """The inverse of `_fisheye`, by Newton's method; angles in [0, pi]."""
    theta = radius.clamp_max(torch.pi)
    for _ in range(NEWTON_STEPS):
        distorted, slope = _fisheye(theta, distortion)
        step = (distorted - radius) / slope.clamp_min(1e-3)
        theta = (theta - step).clamp(0.0, torch.pi)
        if step.abs().max() < NEWTON_TOLERANCE:
            break
    return theta
