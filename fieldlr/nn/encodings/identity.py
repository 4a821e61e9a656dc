"""The identity encoding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.encodings.encoding import Encoding, EncodingConfig


@dataclass(frozen=True)
class Identity(EncodingConfig):
    """Passes the coordinates through unchanged."""

    name = "identity"
    number = 0
    summary = "the coordinates themselves"

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        return IdentityEncoding(in_features)

    def num_parameters(self, in_features: int = 3) -> int:
        return 0


class IdentityEncoding(Encoding):
    """Returns its input (N, F)."""

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features)

    def forward(self, points: Float[Tensor, "n in"]) -> Float[Tensor, "n in"]:
        return points
