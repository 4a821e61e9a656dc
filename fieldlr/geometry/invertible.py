"""Pixels for which a lens model has an inverse, and so a ray."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.geometry.cameras import Cameras

# First SAMPLES x SAMPLES pixels of a picture are tested, its corners among them. Where some have no
# ray, the picture is tested again in BLOCKS blocks along its longer side.
SAMPLES, BLOCKS = 32, 256
# How far from its pixel a ray may be projected and still count as that pixel's.
HALF_A_PIXEL = 0.5


def invertible_pixels(cameras: Cameras) -> list[Bool[Tensor, "_ _"] | None]:
    """For each view booleans (H, W), True where the lens model has an inverse; None where all are.

    A distortion polynomial grows up to its first extremum only: beyond it, several directions give
    one pixel, or none does. Views of one lens share a tensor.
    """
    known: dict[tuple[float, ...], Tensor | None] = {}
    found = []
    for camera in cameras:
        lens = replace(camera, camera_to_world=torch.eye(3, 4, dtype=torch.float64)[None])
        key = (*lens.intrinsics[0].tolist(), *lens.distortion[0].tolist(), *lens.sizes[0].tolist())
        if key not in known:
            known[key] = _of_lens(lens)
        found.append(known[key])
    return found


def _of_lens(lens: Cameras) -> Tensor | None:
    if not lens.distortion.any() and lens.model == "perspective":
        return None
    width, height = lens.sizes[0].tolist()
    largest = _largest(lens)
    columns, rows = (torch.linspace(0.5, length - 0.5, SAMPLES) for length in (width, height))
    if _invertible(lens, torch.cartesian_prod(columns, rows), largest).all():
        return None
    block = -(-max(width, height) // BLOCKS)
    rows, columns = (
        (block * torch.arange(-(-length // block) + 1.0)).clamp(0.5, length - 0.5)
        for length in (height, width)
    )
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    good = _invertible(lens, pixels.view(-1, 2), largest).view(len(rows), len(columns))
    # A block counts as invertible if all four of its corners do.
    good = good[1:, 1:] & good[1:, :-1] & good[:-1, 1:] & good[:-1, :-1]
    whole = good.repeat_interleave(block, 0).repeat_interleave(block, 1)
    return whole[:height, :width].contiguous()


def _invertible(lens: Cameras, pixels: Float[Tensor, "n 2"], largest: float) -> Tensor:
    """Whether the rays of pixels lead back to them, from before the fold of the polynomial."""
    rays = lens.rays(torch.tensor([0]), pixels)
    back, _ = lens.project(0, rays.directions)
    across, ahead = rays.directions[:, :2].norm(dim=-1), -rays.directions[:, 2]
    radius = torch.atan2(across, ahead) if lens.model == "fisheye" else across / ahead
    return ((back - pixels).abs() < HALF_A_PIXEL).all(-1) & (radius <= largest)


def _largest(lens: Cameras) -> float:
    """The radius r (for a fisheye: the angle) up to which r (1 + k1 r^2 + ... + k4 r^8) grows.

    That is the root of the smallest positive q = r^2 at which its derivative, 1 + 3 k1 q +
    5 k2 q^2 + 7 k3 q^3 + 9 k4 q^4, is 0.
    """
    k1, k2, k3, k4 = lens.distortion[0, :4].tolist()
    roots = np.roots(np.trim_zeros([9 * k4, 7 * k3, 5 * k2, 3 * k1, 1.0], "f"))
    real = roots[np.abs(roots.imag) <= 1e-9 * np.abs(roots)].real
    positive = real[real > 0]
    return float(np.sqrt(positive.min())) if len(positive) else float("inf")
