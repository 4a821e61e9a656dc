"""Interpolated feature tables: the common part of the grid encodings."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings.encoding import Encoding, EncodingConfig, Part
from fieldlr.nn.encodings.nodes_read import mark_hashed, nodes_read
from fieldlr.system import draws
from fieldlr.system.entries import Role

# The corners of a cell, x + 2 y + 4 z.
CORNERS = tuple((i & 1, (i >> 1) & 1, i >> 2) for i in range(8))
# Points interpolated at a time: their corners stay in the L2 cache. A GPU needs more to be busy,
# and every chunk costs it some thirty launches.
CHUNK, GPU_CHUNK = 4096, 1 << 18


def geometric(count: int, first: int, last: int) -> tuple[int, ...]:
    """`count` integers from first to last in geometric progression; a single one is `last`."""
    if count == 1:
        return (last,)
    return tuple(round(first * (last / first) ** (i / (count - 1))) for i in range(count))


@dataclass(frozen=True)
class GridConfig(EncodingConfig):
    """The config of tables over grids of growing resolution."""

    num_levels: int
    num_channels: int
    coarsest: int  # nodes along an edge of the cube
    finest: int

    def __post_init__(self) -> None:
        levels, channels = self.num_levels, self.num_channels
        if levels < 1 or channels < 1 or not 2 <= self.coarsest <= self.finest:
            raise FieldlrError(
                f"a {self.name} needs at least one level, one channel and 2 <= coarsest <= finest "
                f"nodes; got {levels} levels of {channels} channels from {self.coarsest} to "
                f"{self.finest} nodes. Leave them out to use the defaults."
            )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Nodes along an edge, per level."""
        return geometric(self.num_levels, self.coarsest, self.finest)

    @property
    def rows(self) -> tuple[int, ...]:
        """Table rows, per level."""
        raise NotImplementedError

    def num_parameters(self, in_features: int = 3) -> int:
        return self.num_channels * sum(self.rows)


class GridEncoding(Encoding):
    """(N, 3) in [-1, 1] to (N, levels x channels); points outside read the nearest face."""

    slopes: Float[Tensor, "3 8"]
    starts: Float[Tensor, "3 8"]

    def __init__(self, config: GridConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config.num_levels * config.num_channels)
        self.config = config
        # Small initial values give grey first colours; Müller et al.'s 1e-4 trains more slowly.
        shape = (sum(config.rows), config.num_channels)
        self.table = draws.uniform(shape, 0.01, generator)
        axes = [*zip(*CORNERS, strict=True)]
        slopes = [[2.0 * corner - 1.0 for corner in axis] for axis in axes]
        starts = [[1.0 - corner for corner in axis] for axis in axes]
        self.register_buffer("slopes", torch.tensor(slopes), persistent=False)
        self.register_buffer("starts", torch.tensor(starts), persistent=False)

    def corners(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Int[Tensor, "n levels 8"], Float[Tensor, "n levels 8"]]:
        """Table rows (N, levels, 8) and trilinear weights (N, levels, 8)."""
        raise NotImplementedError

    def roles(self) -> dict[str, Role]:
        return {"table": Role("table")}

    def rows_of(
        self, level: int, x: Int[Tensor, "*m"], y: Int[Tensor, "*m"], z: Int[Tensor, "*m"]
    ) -> Int[Tensor, "*m"]:
        """The rows (...) within a level of its nodes x, y, z (...)."""
        raise NotImplementedError

    def rows_read(self, occupied: Bool[Tensor, "z y x"]) -> dict[str, Bool[Tensor, " rows"]]:
        read = torch.zeros(len(self.table), dtype=torch.bool, device=occupied.device)
        levels = read.split([rows for _, rows in self.levels])
        for level, (own, (nodes, rows)) in enumerate(zip(levels, self.levels, strict=True)):
            if rows == nodes**3:
                own.copy_(nodes_read(occupied, nodes).flatten())
            else:
                mark_hashed(own, occupied, nodes, functools.partial(self.rows_of, level))
        return {"table": read}

    @property
    def levels(self) -> list[tuple[int, int]]:
        return list(zip(self.config.resolutions, self.config.rows, strict=True))

    @property
    def parts(self) -> list[Part]:
        return [Part(rows, (nodes,) * 3 * (rows == nodes**3)) for nodes, rows in self.levels]

    def trilinear(self, fractions: Float[Tensor, "3 n levels"]) -> Float[Tensor, "n levels 8"]:
        """Weights (N, levels, 8) of the corners for positions (3, N, levels) within a cell."""
        x, y, z = (
            torch.addcmul(start, fraction, slope)
            for start, fraction, slope in zip(
                self.starts.to(fractions.dtype),
                fractions[..., None].unbind(0),
                self.slopes.to(fractions.dtype),
                strict=True,
            )
        )
        return x * y * z

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
        size = GPU_CHUNK if points.is_cuda else CHUNK
        chunks = [self.corners(chunk) for chunk in points.split(size)]
        rows = weighted_rows(
            self.table,
            [indices.flatten(0, 1) for indices, _ in chunks],
            [weights.flatten(0, 1) for _, weights in chunks],
        )
        return rows.view(len(points), self.out_features)


def weighted_rows(
    table: Float[Tensor, "v c"],
    indices: list[Int[Tensor, "_ j"]],
    weights: list[Float[Tensor, "_ j"]],
) -> Float[Tensor, "b c"]:
    """sum_j weights[:, j] table[indices[:, j]]: (B, C) from a table (V, C).

    The indices (B, J) and weights (B, J) come in chunks along B.
    """
    return _WeightedRows.apply(table, *indices, *weights)


class _WeightedRows(torch.autograd.Function):
    """`embedding_bag` is the fastest gather on a CPU, but its own backward pass sorts the indices.

    32,768 points in four levels of four channels: 13 ms forward and backward on one core, against
    60 ms of `grid_sample` and 220 ms of `embedding_bag` with its own backward pass.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, *pairs: Tensor) -> Tensor:
        ctx.save_for_backward(table, *pairs)
        half = len(pairs) // 2
        return torch.cat(
            [
                functional.embedding_bag(i, table, mode="sum", per_sample_weights=w)
                for i, w in zip(pairs[:half], pairs[half:], strict=True)
            ]
        )

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        table, *pairs = ctx.saved_tensors
        half = len(pairs) // 2
        table_grad = torch.zeros_like(table) if ctx.needs_input_grad[0] else None
        weights_grads: list[Tensor | None] = [None] * half
        grads = grad.split([len(i) for i in pairs[:half]])
        for chunk, (i, w, g) in enumerate(zip(pairs[:half], pairs[half:], grads, strict=True)):
            if table_grad is not None:
                _add_rows(table_grad, i, w, g.contiguous())
            if ctx.needs_input_grad[1 + half + chunk]:
                weights_grads[chunk] = (table[i] * g[:, None, :]).sum(-1)
        return table_grad, *[None] * half, *weights_grads


def _add_rows(table: Tensor, indices: Tensor, weights: Tensor, grad: Tensor) -> None:
    """table[indices[b, j]] += weights[b, j] grad[b], in place."""
    # A one-dimensional index_add_ is a tight loop, one over rows is not; pairs of channels are
    # viewed as complex numbers.
    if table.shape[1] % 2 == 0:
        table = torch.view_as_complex(table.view(len(table), -1, 2))
        grad = torch.view_as_complex(grad.view(len(grad), table.shape[1], 2))
    flat = indices.flatten()
    for column, values in zip(table.unbind(1), grad.unbind(1), strict=True):
        column.index_add_(0, flat, (weights * values[:, None]).flatten())
