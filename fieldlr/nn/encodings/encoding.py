"""The interface of an encoding's config and of its module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fieldlr.system.entries import Entry


@dataclass(frozen=True)
class EncodingConfig(Entry):
    """The config of an input encoding, as an entry of ENCODINGS."""

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        """A module from (N, in_features) in [-1, 1] to (N, out_features)."""
        raise NotImplementedError

    def num_parameters(self, in_features: int = 3) -> int:
        """The number of its parameters."""
        raise NotImplementedError

    @property
    def learns(self) -> bool:
        """Whether it has parameters."""
        return self.num_parameters() > 0


class Encoding(nn.Module):
    """Maps (N, in_features) in [-1, 1] to (N, out_features).

    Parameters, if any, are tables: rows of features, of which each point reads a few.
    """

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features

    def rows_read(
        self, low: Float[Tensor, "n 3"], high: Float[Tensor, "n 3"]
    ) -> dict[str, Bool[Tensor, " rows"]]:
        """Per table name, which rows are read by points within the boxes low to high (N, 3)."""
        return {}

    @property
    def levels(self) -> list[tuple[int, int]]:
        """(nodes along an edge, rows) of each level of a trilinearly interpolated `table`."""
        return []
