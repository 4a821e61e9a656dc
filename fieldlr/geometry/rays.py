"""Half-lines."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Rays:
    """Half-lines `origins + t directions`, t >= 0. Both (..., 3); directions of unit length."""

    origins: Tensor
    directions: Tensor

    def at(self, t: Tensor) -> Tensor:
        """Points (..., 3) at distances t (...)."""
        return self.origins + t[..., None] * self.directions

    def __getitem__(self, index) -> Rays:
        return Rays(self.origins[index], self.directions[index])

    def __len__(self) -> int:
        return len(self.origins)
