"""Rays: origins and unit directions."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """Rays `origins + t directions`, t >= 0. Both (..., 3); directions of unit length."""

    origins: Float[Tensor, "*n 3"]
    directions: Float[Tensor, "*n 3"]

    def at(self, t: Float[Tensor, "*n"]) -> Float[Tensor, "*n 3"]:
        """Points (..., 3) at distances t (...)."""
        return self.origins + t[..., None] * self.directions

    def __getitem__(self, index: int | slice | Int[Tensor, " ..."] | Bool[Tensor, " ..."]) -> Rays:
        return Rays(self.origins[index], self.directions[index])

    def __len__(self) -> int:
        return len(self.origins)
