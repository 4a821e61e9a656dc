"""Per-photo corrections: exposure, white balance, and refinement of camera poses."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fieldlr.geometry.rays import Rays

# The values of the option `correct`.
NOTHING, EXPOSURE, CAMERAS, BOTH = "nothing", "exposure", "cameras", "both"
CORRECTIONS = (NOTHING, EXPOSURE, CAMERAS, BOTH)
# Learning rates (Adam): of log gains; of rotations in radians, and of shifts in the scene's unit.
EXPOSURE_LEARNING_RATE, CAMERA_LEARNING_RATE = 5e-3, 3e-4
# The weight of the mean square log gain in the loss.
EXPOSURE_PENALTY = 1e-3


class PhotoCorrections(nn.Module):
    """A few parameters for each of N photos, trained with the field.

    * exposure and white balance: a gain for each colour channel of each photo;
    * cameras: a rotation and a shift each.

    Log gains, rotations and shifts are centred on their means, so that novel views have the mean
    exposure and the scene as a whole stays in place.
    """

    def __init__(self, count: int, unit: float, kind: str):
        """`count` is N; `unit` is the length of a shift of 1, in the scene's frame."""
        super().__init__()
        self.kind, self.unit = kind, unit
        if kind in (EXPOSURE, BOTH):
            self.gains = nn.Parameter(torch.zeros(count, 3))
        if kind in (CAMERAS, BOTH):
            self.turns = nn.Parameter(torch.zeros(count, 3))
            self.shifts = nn.Parameter(torch.zeros(count, 3))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for the optimisers, each with its `lr`."""
        exposure = [p for name, p in self.named_parameters() if name == "gains"]
        cameras = [p for name, p in self.named_parameters() if name != "gains"]
        groups = ((exposure, EXPOSURE_LEARNING_RATE), (cameras, CAMERA_LEARNING_RATE))
        return [
            {"params": own, "lr": learning_rate, "matrices": False}
            for own, learning_rate in groups
            if own
        ]

    def rays(self, photos: Int[Tensor, " m"], rays: Rays) -> Rays:
        """The rays (M,) of photos (M,), numbered 0 to N - 1, with corrected poses."""
        if self.kind not in (CAMERAS, BOTH):
            return rays
        turns, shifts = (_centred(own)[photos] for own in (self.turns, self.shifts))
        # Rotation to first order, for small angles.
        directions = rays.directions + torch.linalg.cross(turns, rays.directions)
        directions = nn.functional.normalize(directions, dim=-1)
        return Rays(rays.origins + self.unit * shifts, directions)

    def apply_exposure(
        self, photos: Int[Tensor, " m"], rgb: Float[Tensor, "m 3"]
    ) -> Float[Tensor, "m 3"]:
        """Colours (M, 3) of the field with the exposure of photos (M,)."""
        if self.kind not in (EXPOSURE, BOTH):
            return rgb
        return rgb * _centred(self.gains)[photos].exp()

    def penalty(self) -> Float[Tensor, ""]:
        """The penalty on large log gains."""
        if self.kind not in (EXPOSURE, BOTH):
            return self.turns.new_zeros(())
        return EXPOSURE_PENALTY * self.gains.square().mean()

    @torch.no_grad()
    def figures(self, scale: float) -> dict[str, float]:
        """The size of the corrections, as root mean squares over the photos.

        `scale` converts from the scene's frame to the user's units.
        """
        found = {}
        if self.kind in (EXPOSURE, BOTH):
            found["exposure_stops"] = _rms(_centred(self.gains).mean(-1)) / math.log(2.0)
        if self.kind in (CAMERAS, BOTH):
            found["camera_turn_degrees"] = math.degrees(_rms(_centred(self.turns).norm(dim=-1)))
            found["camera_shift"] = scale * self.unit * _rms(_centred(self.shifts).norm(dim=-1))
        return found


def _centred(values: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    return values - values.mean(0)


def _rms(values: Float[Tensor, " n"]) -> float:
    return float(values.square().mean().sqrt())
