"""The multi-resolution hash grid of instant-ngp, in plain torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings.interpolation import CORNERS, GridConfig, GridEncoding

# Müller et al. 2022, equation 4: h(x, y, z) = (x * 1) xor (y * p2) xor (z * p3) mod T.
PRIMES = (1, 2_654_435_761, 805_459_861)


@dataclass(frozen=True)
class HashGrid(GridConfig):
    """Grids of growing resolution with at most 2^log2_table_size table rows per level.

    Levels whose nodes all fit store them directly, finer ones by their hash (Müller et al.
    2022, "Instant neural graphics primitives", section 3).
    """

    name = "hash-grid"
    number = 2
    summary = "the same, with hashed table rows shared by nodes"

    num_levels: int = 8
    num_channels: int = 2
    coarsest: int = 16
    finest: int = 256
    log2_table_size: int = 17

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 4 <= self.log2_table_size <= 24:
            raise FieldlrError(
                "A hash grid's table holds 2^4 to 2^24 rows per level; got "
                f"2^{self.log2_table_size}. Use a log2_table_size of 14 to 19."
            )

    @property
    def rows(self) -> tuple[int, ...]:
        """Table rows, per level."""
        return tuple(min(nodes**3, 2**self.log2_table_size) for nodes in self.resolutions)

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> GridEncoding:
        return HashGridEncoding(self, generator)


class HashGridEncoding(GridEncoding):
    """One table row per node where the nodes fit, else per hash, level after level."""

    offsets: Int[Tensor, "3 8"]

    def __init__(self, config: HashGrid, generator: torch.Generator | None) -> None:
        super().__init__(config, generator)
        self.register_buffer("offsets", torch.tensor(CORNERS).T.clone(), persistent=False)

    def rows_of(
        self, level: int, x: Int[Tensor, "*m"], y: Int[Tensor, "*m"], z: Int[Tensor, "*m"]
    ) -> Int[Tensor, "*m"]:
        along, rows = self.levels[level]
        if rows == along**3:
            return x + along * (y + along * z)
        return (x * PRIMES[0] ^ y * PRIMES[1] ^ z * PRIMES[2]) & (rows - 1)

    def corners(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Int[Tensor, "n levels 8"], Float[Tensor, "n levels 8"]]:
        nodes = torch.tensor(self.config.resolutions, device=points.device)
        position = (points.T[:, :, None].clamp(-1.0, 1.0) + 1.0) * (0.5 * (nodes - 1))
        cell = torch.minimum(position.detach().floor(), (nodes - 2).to(position.dtype))
        corner = cell.long()[..., None] + self.offsets[:, None, None]
        indices, first = [], 0
        for level, rows in enumerate(self.config.rows):
            indices.append(first + self.rows_of(level, *corner[:, :, level]))
            first += rows
        return torch.stack(indices, 1).int(), self.trilinear(position - cell)
