"""What cameras do to photos: exposure, white balance, and poses that are slightly off."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fieldlr.geometry.rays import Rays

# What may be corrected of photos, as an option says it.
NOTHING, EXPOSURE, CAMERAS, BOTH = "nothing", "exposure", "cameras", "both"
CORRECTIONS = (NOTHING, EXPOSURE, CAMERAS, BOTH)
# Learning rates (Adam): logarithms of brightness; radians, and shifts in the scene's unit.
EXPOSURE_RATE, CAMERA_RATE = 5e-3, 3e-4
# What the mean square of all logarithms of brightness adds to the loss.
EXPOSURE_COST = 1e-3


class PhotoCorrections(nn.Module):
    """A few parameters for each of N photos, learned with the field.

    * exposure and white balance: a photo's red, green and blue are the field's times a factor each;
    * cameras: a turn and a shift each.

    Factors, turns and shifts are about their own means, so that new views are seen at the mean
    exposure, and the scene as a whole neither turns nor moves.
    """

    def __init__(self, count: int, unit: float, kind: str):
        """N photos; unit: what a shift of 1 is, in the units of the scene's frame."""
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
        groups = ((exposure, EXPOSURE_RATE), (cameras, CAMERA_RATE))
        return [{"params": own, "lr": rate, "muon": False} for own, rate in groups if own]

    def rays(self, photos: Int[Tensor, " m"], rays: Rays) -> Rays:
        """The rays (M,) of photos (M,), numbered from 0 to N - 1, by corrected cameras."""
        if self.kind not in (CAMERAS, BOTH):
            return rays
        turns, shifts = (_about_mean(own)[photos] for own in (self.turns, self.shifts))
        # Small turns: the first term of the rotation.
        directions = rays.directions + torch.linalg.cross(turns, rays.directions)
        directions = nn.functional.normalize(directions, dim=-1)
        return Rays(rays.origins + self.unit * shifts, directions)

    def photographed(
        self, photos: Int[Tensor, " m"], rgb: Float[Tensor, "m 3"]
    ) -> Float[Tensor, "m 3"]:
        """Colours (M, 3) of the field as photos (M,) show them."""
        if self.kind not in (EXPOSURE, BOTH):
            return rgb
        return rgb * _about_mean(self.gains)[photos].exp()

    def cost(self) -> Float[Tensor, ""]:
        """The penalty on large exposure factors."""
        if self.kind not in (EXPOSURE, BOTH):
            return self.turns.new_zeros(())
        return EXPOSURE_COST * self.gains.square().mean()

    @torch.no_grad()
    def figures(self, scale: float) -> dict[str, float]:
        """How much was corrected, as root mean squares over the photos.

        scale: of the user's units to those of the scene's frame.
        """
        found = {}
        if self.kind in (EXPOSURE, BOTH):
            found["exposure_stops"] = _rms(_about_mean(self.gains).mean(-1)) / math.log(2.0)
        if self.kind in (CAMERAS, BOTH):
            found["camera_turn_degrees"] = math.degrees(_rms(_about_mean(self.turns).norm(dim=-1)))
            found["camera_shift"] = scale * self.unit * _rms(_about_mean(self.shifts).norm(dim=-1))
        return found


def _about_mean(values: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    return values - values.mean(0)


def _rms(values: Float[Tensor, " n"]) -> float:
    return float(values.square().mean().sqrt())
