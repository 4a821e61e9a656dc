"""Sines and cosines along random directions that no file stores."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.encodings.encoding import Encoding, EncodingConfig
from fieldlr.system import seeded
from fieldlr.system.kinds import Number, Whole
from fieldlr.system.options import option


@dataclass(frozen=True)
class RandomFourier(EncodingConfig):
    """sin(B x), cos(B x), B normal with the standard deviation `radians` (Tancik et al. 2020).

    B (num_frequencies, in) is drawn by the format's own generator. The authors' sigma, for
    sin(2 pi B x), is radians / (2 pi).
    """

    name = "random-fourier"
    number = 4
    summary = "sines and cosines along seeded random directions"

    num_frequencies: int = option(Whole(1), "Random directions", 32)
    radians: float = option(Number(), "Spread of the phase across half the cube", 6.0)

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        return RandomFourierEncoding(self, in_features)

    def num_parameters(self, in_features: int = 3) -> int:
        return 0


class RandomFourierEncoding(Encoding):
    """(N, F) to (N, 2 num_frequencies): all sines, then all cosines."""

    directions: Float[Tensor, "frequencies in"]

    def __init__(self, config: RandomFourier, in_features: int) -> None:
        super().__init__(2 * config.num_frequencies)
        shape = config.num_frequencies, in_features
        drawn = seeded.normal(seeded.FREQUENCIES, shape, config.radians)
        self.register_buffer("directions", drawn, persistent=False)

    def forward(self, points: Float[Tensor, "n in"]) -> Float[Tensor, "n features"]:
        phases = points @ self.directions.T.to(points.dtype)
        return torch.cat([phases.sin(), phases.cos()], 1)
