"""An occupancy field: the logit of being inside."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.execution import Layer, encode
from fieldlr.nn.mlp import Mlp


class OccupancyField(Field):
    """Maps points to the logit of being inside (Mescheder et al. 2019, section 3.1)."""

    name = "occupancy"
    summary = "a solid: inside or outside at every point"

    def __init__(
        self,
        config: FieldConfig,
        space: Space,
        frame: Similarity | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__(config, space, frame)
        if config.network != "mlp":
            raise FieldlrError(
                f"shapes need the network `mlp`; got `{config.network}`, which is for "
                "photos. Leave the network at its default."
            )
        self.encoding = config.encoding.build(3, generator)
        self.mlp = Mlp(
            self.encoding.out_features,
            1,
            linear=config.linear,
            activation=config.activation,
            width=config.width,
            depth=config.depth,
            skips=config.skips,
            generator=generator,
        )

    def encoded(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
        """Encoded world points: (M, 3) to (M, F)."""
        return encode(self.encoding, self.space.contract(points))

    def layers(self) -> list[Layer]:
        """The engine layers of the MLP."""
        return self.mlp.layers()

    def level(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return self.mlp(self.encoded(points))[:, 0]

    def level_of(self, threshold: float | None) -> float:
        """The logit of a probability, 0.5 by default."""
        probability = 0.5 if threshold is None else threshold
        if not 0.0 < probability < 1.0:
            raise FieldlrError(
                f"the threshold of a shape is a probability between 0 and 1; got {threshold}. "
                "Leave `threshold` out for 0.5."
            )
        return math.log(probability / (1.0 - probability))

    def value_of(self, level: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The probability of a logit."""
        return torch.sigmoid(level)
