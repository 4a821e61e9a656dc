"""Sines and cosines at doubling frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings.encoding import Encoding, EncodingConfig


@dataclass(frozen=True)
class Frequency(EncodingConfig):
    """x, sin(2^i x), cos(2^i x) for i < num_frequencies (Mildenhall et al. 2020, equation 4).

    Without the factor pi, as in the authors' code and unlike in their equation.
    """

    name = "frequency"
    number = 1
    summary = "sines and cosines at doubling frequencies"

    num_frequencies: int = 10
    include_input: bool = True

    def __post_init__(self) -> None:
        if self.num_frequencies < 0 or not (self.num_frequencies or self.include_input):
            raise FieldlrError(
                "A frequency encoding needs at least one frequency or the input itself; got "
                f"{self.num_frequencies} without the input. Use 4 to 10 frequencies."
            )

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        return FrequencyEncoding(self, in_features)

    def num_parameters(self, in_features: int = 3) -> int:
        return 0


class FrequencyEncoding(Encoding):
    """(N, F) to (N, F (2 num_frequencies + 1)): the input, then sine and cosine per frequency."""

    def __init__(self, config: Frequency, in_features: int) -> None:
        super().__init__(in_features * (2 * config.num_frequencies + config.include_input))
        self.config = config

    def forward(self, points: Float[Tensor, "n in"]) -> Float[Tensor, "n features"]:
        scales = 2.0 ** torch.arange(
            self.config.num_frequencies, dtype=points.dtype, device=points.device
        )
        phases = points[:, None, :] * scales[:, None]
        waves = torch.stack([phases.sin(), phases.cos()], 2).flatten(1)
        return torch.cat([points, waves], -1) if self.config.include_input else waves
