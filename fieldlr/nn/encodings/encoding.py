"""What every encoding declares, and what its module promises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fieldlr.system.entries import Entry


@dataclass(frozen=True)
class EncodingConfig(Entry):
    """What a point becomes before it enters an MLP, as an entry of ENCODINGS."""

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        """A module from (N, in_features) in [-1, 1] to (N, out_features)."""
        raise NotImplementedError

    def num_parameters(self, in_features: int = 3) -> int:
        """Parameters that it stores."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """Whether it stores parameters of its own."""
        return self.num_parameters() > 0


class Encoding(nn.Module):
    """(N, in_features) in [-1, 1] to (N, out_features).

    Parameters are tables: rows of features, of which a point reads a few.
    """

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features

    def rows_read(
        self, low: Float[Tensor, "n 3"], high: Float[Tensor, "n 3"]
    ) -> dict[str, Bool[Tensor, " rows"]]:
        """For each table by name, whether points of the boxes low to high (N, 3) read a row."""
        return {}

    @property
    def levels(self) -> list[tuple[int, int]]:
        """(nodes along an edge, rows) of each level of a `table` that is read trilinearly."""
        return []
