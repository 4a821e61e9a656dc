"""A multi-resolution dense grid, the counterpart of the hash grid for CPUs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.nn.encodings.interpolation import CORNERS, GridConfig, GridEncoding


@dataclass(frozen=True)
class DenseGrid(GridConfig):
    """Features at the nodes of grids of growing resolution, interpolated and concatenated.

    Resolutions (nodes along an edge of the cube) grow geometrically from the coarsest to the
    finest, as in Müller et al. 2022, equation 2; without hashing there are no collisions, and
    neighbouring points read neighbouring memory.
    """

    name = "dense-grid"
    number = 3
    summary = "features at the nodes of grids of growing resolution"

    num_levels: int = 4
    num_channels: int = 4
    coarsest: int = 16
    finest: int = 96

    @property
    def rows(self) -> tuple[int, ...]:
        """Table rows, per level."""
        return tuple(nodes**3 for nodes in self.resolutions)

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> GridEncoding:
        return DenseGridEncoding(self, generator)


class DenseGridEncoding(GridEncoding):
    """One table row per node, x fastest, level after level."""

    nodes: Int[Tensor, " levels"]
    first_row: Int[Tensor, " levels"]
    steps: Int[Tensor, "levels 8"]

    def __init__(self, config: DenseGrid, generator: torch.Generator | None) -> None:
        super().__init__(config, generator)
        # int32 halves the traffic of the indices; a table stays far below 2^31 rows.
        nodes = torch.tensor(config.resolutions, dtype=torch.int32)
        sizes = nodes**3
        x, y, z = torch.tensor(CORNERS, dtype=torch.int32).T
        steps = x + nodes[:, None] * (y + nodes[:, None] * z)
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("first_row", sizes.cumsum(0).int() - sizes, persistent=False)
        self.register_buffer("steps", steps.int(), persistent=False)

    def rows_of(
        self, level: int, x: Int[Tensor, "*m"], y: Int[Tensor, "*m"], z: Int[Tensor, "*m"]
    ) -> Int[Tensor, "*m"]:
        along = self.config.resolutions[level]
        return x + along * (y + along * z)

    def corners(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Int[Tensor, "n levels 8"], Float[Tensor, "n levels 8"]]:
        last = (self.nodes - 1).to(points.dtype)
        unit = (points.T.clamp(-1.0, 1.0) + 1.0).contiguous()
        position = unit[:, :, None] * (0.5 * last)
        cell = torch.minimum(position.detach().floor(), last - 1.0)
        x, y, z = cell.int().unbind(0)
        corner = self.first_row + x + self.nodes * (y + self.nodes * z)
        return corner[..., None] + self.steps, self.trilinear(position - cell)
