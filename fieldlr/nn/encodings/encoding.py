"""The interface of an encoding's config and of its module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool
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


class Part(NamedTuple):
    """A part of a table with a quantisation step of its own in a file: its number of rows, and the
    edges of the grid that they lie on, the slowest axis first; none where nodes share rows.
    """

    rows: int
    edges: tuple[int, ...]


class Factor(NamedTuple):
    """A line or a plane of features: its first row, its nodes along an edge, the axes it lies on.

    Nodes along the first of these axes are neighbours in the table.
    """

    first: int
    nodes: int
    axes: tuple[int, ...]

    @property
    def rows(self) -> int:
        return self.nodes ** len(self.axes)


class Encoding(nn.Module):
    """Maps (N, in_features) in [-1, 1] to (N, out_features).

    Parameters, if any, are tables: rows of features, of which each point reads a few.
    """

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features

    def rows_read(self, occupied: Bool[Tensor, "z y x"]) -> dict[str, Bool[Tensor, " rows"]]:
        """Per table name, which rows are read by points in these cells of the cube."""
        return {}

    @property
    def parts(self) -> list[Part]:
        """The parts of its `table`, in the order of their rows."""
        return []

    @property
    def levels(self) -> list[tuple[int, int]]:
        """(nodes along an edge, rows) of each level of a trilinearly interpolated `table`."""
        return []

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        """The lines and planes of `table` whose element-wise products are features, if any."""
        return []
