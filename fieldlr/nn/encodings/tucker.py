"""Products of every channel of one line of features with every channel of the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings.encoding import Factor
from fieldlr.nn.encodings.separable import SeparableConfig, SeparableEncoding

# The features are the cube of the channels: 4,096, as wide as a layer may be.
MOST_CHANNELS = 16


@dataclass(frozen=True)
class Tucker(SeparableConfig):
    """Features f_i(x) g_j(y) h_k(z) for all i, j and k, each factor a channel of a line.

    The layer that follows weights them: its weights are the core of the Tucker decomposition of a
    volume (Vemuri et al. 2025, "F-INR"; there the lines are networks).
    """

    name = "tucker"
    number = 7
    summary = "products of all channels of three lines of features"
    products = (((0,), (1,), (2,)),)
    start = 0.5

    num_levels: int = 1
    num_channels: int = 6
    coarsest: int = 128
    finest: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_channels > MOST_CHANNELS:
            raise FieldlrError(
                f"the features of `tucker` are the cube of its channels, of which it has at most "
                f"{MOST_CHANNELS}; got {self.num_channels}. Use fewer, or `cp`."
            )

    @property
    def out_features(self) -> int:
        return len(self.terms) * self.num_channels**3

    def build(
        self, in_features: int = 3, generator: torch.Generator | None = None
    ) -> TuckerEncoding:
        return TuckerEncoding(self, generator)


class TuckerEncoding(SeparableEncoding):
    """(N, 3) in [-1, 1] to (N, levels x channels^3), the channel of z fastest."""

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        return []  # none are element-wise products

    def product(
        self, left: Float[Tensor, "n left"], right: Float[Tensor, "n right"]
    ) -> Float[Tensor, "n product"]:
        """The product of two factors: of each channel with every other."""
        return (left[:, :, None] * right[:, None, :]).flatten(1)
