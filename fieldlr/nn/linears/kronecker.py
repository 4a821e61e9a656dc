"""The backbone `kronecker`: W = sum over r of A_r (x) B_r."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fieldlr.nn.linears.linear import Passes, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear


class KroneckerLinear(StructuredLinear):
    """A sum of Kronecker products, of which W is the upper left corner.

    Units cannot be permuted: which of them share an entry of A is part of the structure.
    """

    start_at_zero = "A"

    A: Float[Tensor, "rank out1 in1"]
    B: Float[Tensor, "rank out2 in2"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        size: float = (std / shapes["A"][0] ** 0.5) ** 0.5
        return dict.fromkeys(shapes, size)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        (_, out1, in1), (_, out2, in2) = self.A.shape, self.B.shape
        # All products of an entry of A and one of B are one matrix (out1 in1, out2 in2).
        products = self.A.flatten(1).T @ self.B.flatten(1)
        whole = products.view(out1, in1, out2, in2).transpose(1, 2)
        return whole.reshape(out1 * out2, in1 * in2)[: self.out_features, : self.in_features]

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        x, d = _as_matrices(inputs), _as_matrices(deltas)
        a, b = self.A.to(x.dtype), self.B.to(x.dtype)
        by_a = torch.einsum("nab,njk,rbk->nraj", d, x, b)
        by_b = torch.einsum("nab,njk,raj->nrbk", d, x, a)
        return {"A": by_a.flatten(1), "B": by_b.flatten(1)}


def _as_matrices(rows: Float[Tensor, "n units"]) -> Float[Tensor, "n first second"]:
    first, second = two_edges(rows.shape[1])
    return functional.pad(rows, (0, first * second - rows.shape[1])).view(-1, first, second)


def two_edges(count: int) -> tuple[int, int]:
    """Two nearly equal numbers, whose product is the least from `count` up."""
    first = math.isqrt(count - 1) + 1
    return first, -(-count // first)


@dataclass(frozen=True)
class Kronecker(Structured):
    """Stores A (rank, out1, in1) and B (rank, out2, in2), all edges near a square root (LoKr).

    Where a side of W is no product of two such edges, the rows or columns beyond it are left out.
    """

    name = "kronecker"
    number = 4
    summary = "W = Σ A ⊗ B: sums of Kronecker products"
    layer = KroneckerLinear

    rank: int = rank_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        (out1, out2), (in1, in2) = two_edges(out_features), two_edges(in_features)
        return {"A": (self.rank, out1, in1), "B": (self.rank, out2, in2)}
