"""Features that are products of lines and planes: the common part of `cp`, `vm` and `tucker`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fieldlr.nn.encodings.encoding import Encoding, Factor, Part
from fieldlr.nn.encodings.interpolation import (
    CHUNK,
    GPU_CHUNK,
    GridConfig,
    weighted_rows,
)
from fieldlr.nn.encodings.nodes_read import nodes_read
from fieldlr.system import draws
from fieldlr.system.entries import Role


@dataclass(frozen=True)
class SeparableConfig(GridConfig):
    """The config of products of lines and planes, whose nodes grow from level to level."""

    # The terms of a level: the axes of the lines and planes whose product it is, x being 0.
    products: ClassVar[tuple[tuple[tuple[int, ...], ...], ...]]
    # The standard deviation at the start. Where all factors are near 0, none has a gradient.
    start: ClassVar[float]

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        """The factors of every term, level after level, in the order of the table."""
        terms, first = [], 0
        for nodes in self.resolutions:
            for product in self.products:
                factors = []
                for axes in product:
                    factors.append(Factor(first, nodes, axes))
                    first += factors[-1].rows
                terms.append(tuple(factors))
        return terms

    @property
    def rows(self) -> tuple[int, ...]:
        """Table rows, per line or plane."""
        return tuple(factor.rows for term in self.terms for factor in term)

    @property
    def out_features(self) -> int:
        """Features of all terms."""
        return len(self.terms) * self.num_channels

    def build(self, in_features: int = 3, generator: torch.Generator | None = None) -> Encoding:
        return SeparableEncoding(self, generator)


class SeparableEncoding(Encoding):
    """(N, 3) in [-1, 1] to (N, out_features); points outside read the nearest face."""

    def __init__(self, config: SeparableConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config.out_features)
        self.config = config
        shape = (sum(config.rows), config.num_channels)
        self.table = draws.normal(shape, config.start, generator)

    @property
    def terms(self) -> list[tuple[Factor, ...]]:
        return self.config.terms

    @property
    def parts(self) -> list[Part]:
        factors = [factor for term in self.config.terms for factor in term]
        return [Part(factor.rows, (factor.nodes,) * len(factor.axes)) for factor in factors]

    def roles(self) -> dict[str, Role]:
        return {"table": Role("line")}

    def rows_read(self, occupied: Bool[Tensor, "z y x"]) -> dict[str, Bool[Tensor, " rows"]]:
        read = torch.zeros(len(self.table), dtype=torch.bool, device=occupied.device)
        for first, nodes, axes in (factor for term in self.config.terms for factor in term):
            across = [2 - axis for axis in range(3) if axis not in axes]
            seen = occupied.amax(across) if across else occupied
            read[first : first + nodes ** len(axes)] = nodes_read(seen, nodes).flatten()
        return {"table": read}

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
        size = GPU_CHUNK if points.is_cuda else CHUNK
        terms = []
        for term in self.config.terms:
            product = None
            for factor in term:
                pairs = [_corners(factor, chunk) for chunk in points.split(size)]
                indices, weights = map(list, zip(*pairs, strict=True))
                values = weighted_rows(self.table, indices, weights)
                product = values if product is None else self.product(product, values)
            terms.append(product)
        return torch.cat(terms, 1)

    def product(
        self, left: Float[Tensor, "n left"], right: Float[Tensor, "n right"]
    ) -> Float[Tensor, "n product"]:
        """The product of two factors of a term: of each channel with the same one."""
        return left * right


def _corners(
    factor: Factor, points: Float[Tensor, "n 3"]
) -> tuple[Int[Tensor, "n corners"], Float[Tensor, "n corners"]]:
    """The rows of a line or plane that points (N, 3) lie between, and their weights."""
    first, nodes, axes = factor
    rows = torch.full((len(points), 1), first, dtype=torch.int32, device=points.device)
    weights = points.new_ones(len(points), 1)
    for stride, axis in zip((1, nodes), axes, strict=False):
        position = (points[:, axis].clamp(-1.0, 1.0) + 1.0) * (0.5 * (nodes - 1))
        cell = position.detach().floor().clamp_max(nodes - 2)
        fraction = (position - cell)[:, None]
        row = rows + stride * cell.int()[:, None]
        rows = torch.cat([row, row + stride], 1)
        weights = torch.cat([weights * (1.0 - fraction), weights * fraction], 1)
    return rows, weights
