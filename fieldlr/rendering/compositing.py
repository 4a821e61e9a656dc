"""The volume rendering integral over concatenated ray intervals.

With the optical depth tau_i = density_i length_i of interval i of a ray (Mildenhall et al. 2020,
equation 3; Max 1995): transmittance before it T_i = exp(-sum_{j < i} tau_j), weight
w_i = T_i (1 - exp(-tau_i)); a ray's colour is sum_i w_i c_i + T_end background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.rendering.samples import RaySamples

# Beyond this optical depth an interval is fully opaque in float32.
OPAQUE = 60.0


@dataclass(frozen=True)
class Composite:
    """Colours and opacities of N rays."""

    samples: RaySamples
    rgb: Float[Tensor, "n 3"]
    opacity: Float[Tensor, " n"]  # 1 - transmittance to the far end
    weights: Float[Tensor, " m"]  # of the intervals

    @property
    def depth(self) -> Float[Tensor, " n"]:
        """Median distance (N,) of what a ray sees; 0 if it sees nothing."""
        return median_depths(self.samples, self.weights)


def composite(
    samples: RaySamples,
    rgb: Float[Tensor, "m 3"],
    optical_depths: Float[Tensor, " m"],
    background: Float[Tensor, " 3"] | Float[Tensor, "n 3"],
) -> Composite:
    """Composites colours (M, 3) and optical depths (M,) over a background (3,) or (N, 3)."""
    weights, transmittance = render_weights(samples, optical_depths)
    color = ray_sums(samples, weights[:, None] * rgb)
    return Composite(
        samples,
        rgb=color + transmittance[:, None] * background,
        opacity=1.0 - transmittance,
        weights=weights,
    )


def render_weights(
    samples: RaySamples, optical_depths: Float[Tensor, " m"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, " n"]]:
    """Weights (M,) of the intervals, and the transmittance (N,) to the end of each ray.

    The weights of a ray and its transmittance add up to 1.
    """
    depths = optical_depths.clamp_max(OPAQUE)
    before, transmittance = transmittances(samples, depths)
    return before * -torch.expm1(-depths), transmittance


def transmittances(
    samples: RaySamples, depths: Float[Tensor, " m"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, " n"]]:
    """Transmittance before each interval (M,) and at the end of each ray (N,)."""
    # One cumulative sum serves all rays; in float64 differences of its values have full float32
    # precision.
    total = torch.cat([depths.new_zeros(1, dtype=torch.float64), depths.double().cumsum(0)])
    at_first = total[samples.first]
    before = total[:-1] - at_first[samples.ray_indices]
    transmittance = torch.exp(at_first[:-1] - at_first[1:]).to(depths.dtype)
    return torch.exp(-before).to(depths.dtype), transmittance


def median_depths(
    samples: RaySamples, weights: Float[Tensor, " m"], share: float = 0.5
) -> Float[Tensor, " n"]:
    """Distances (N,) at which rays reach a share of their opacity; 0 where they see nothing.

    A mean would lie in the empty space between a leaf and the wall beside it.
    """
    if len(samples) == 0:
        return weights.new_zeros(samples.num_rays)
    total = torch.cat([weights.new_zeros(1, dtype=torch.float64), weights.double().cumsum(0)])
    at_first = total[samples.first]
    seen = at_first[1:] - at_first[:-1]
    half = at_first[:-1] + share * seen
    before = ray_sums(samples, (total[1:] < half[samples.ray_indices])[:, None].double())[:, 0]
    found = (samples.first[:-1] + before.round().long()).clamp_max(len(samples) - 1)
    # Within an interval the weight accumulates linearly.
    part = ((half - total[found]) / weights[found].clamp_min(1e-12)).clamp(0, 1)
    starts, ends = samples.t_starts[found], samples.t_ends[found]
    return torch.where(seen > 0.0, starts + part.to(starts.dtype) * (ends - starts), 0.0)


def ray_sums(samples: RaySamples, values: Float[Tensor, "m c"]) -> Float[Tensor, "n c"]:
    """Sums (N, C) of values (M, C) over the intervals of each ray."""
    return _RaySums.apply(values, samples.ray_indices, samples.first)


class _RaySums(torch.autograd.Function):
    """Differences of a cumulative sum in float64: no atomics, so the result is deterministic."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ray_indices: Tensor, first: Tensor) -> Tensor:
        ctx.save_for_backward(ray_indices)
        running = values.new_zeros(len(values) + 1, values.shape[1], dtype=torch.float64)
        torch.cumsum(values, 0, dtype=torch.float64, out=running[1:])
        at_first = running[first]
        return (at_first[1:] - at_first[:-1]).to(values.dtype)

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        (ray_indices,) = ctx.saved_tensors
        return grad[ray_indices], None, None
