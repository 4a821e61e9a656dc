"""The backbone `blast`: blocks U_p diag(s_pq) V_q^T, with U and V shared by rows and columns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.blocks import blocks_option, contiguous
from fieldlr.nn.linears.linear import Passes, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear


class BlastLinear(StructuredLinear):
    """W_ij is the sum over r of U_ir S[p(i), q(j), r] V_jr, p and q being contiguous blocks."""

    start_at_zero = "U"
    num_factors = 3

    U: Float[Tensor, "out rank"]
    S: Float[Tensor, "rows columns rank"]
    V: Float[Tensor, "in rank"]
    output_blocks: Float[Tensor, "out rows"]
    input_blocks: Float[Tensor, "in columns"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        rows, columns, rank = shapes["S"]
        for side, blocks_of in (
            ("output_blocks", contiguous(shapes["U"][0], rows)),
            ("input_blocks", contiguous(shapes["V"][0], columns)),
        ):
            self.register_buffer(side, blocks_of, persistent=False)
        size: float = (std / rank**0.5) ** (1 / 3)
        return dict.fromkeys(shapes, size)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        # As U and V with a column for each column of blocks, V's being 0 outside its own.
        coupled = torch.einsum("ip,pqr->iqr", self.output_blocks, self.S)
        left = self.U[:, None, :] * coupled
        right = self.V[:, None, :] * self.input_blocks[:, :, None]
        return left.flatten(1) @ right.flatten(1).T

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((x, deltas),) = passes
        u, s, v = (tensor.to(x.dtype) for tensor in (self.U, self.S, self.V))
        rows, columns = (side.to(x.dtype) for side in (self.output_blocks, self.input_blocks))
        read = torch.einsum("nj,jq,jr->nqr", x, columns, v)
        written = torch.einsum("ni,ip,ir->npr", deltas, rows, u)
        by_u = torch.einsum("ni,ip,npr->nir", deltas, rows, torch.einsum("pqr,nqr->npr", s, read))
        by_v = torch.einsum("nj,jq,nqr->njr", x, columns, torch.einsum("pqr,npr->nqr", s, written))
        by_s = written[:, :, None] * read[:, None]
        return {"U": by_u.flatten(1), "S": by_s.flatten(1), "V": by_v.flatten(1)}


@dataclass(frozen=True)
class Blast(Structured):
    """Stores U (out, rank), S (blocks, blocks, rank) and V (in, rank) (Lee et al. 2024).

    Low-rank, block-diagonal and block low-rank matrices are cases of it. A layer has at most as
    many blocks along a side as it has units there.
    """

    name = "blast"
    number = 6
    summary = "blocks U diag(s) Vᵀ with shared U and V, and their own s: full rank"
    layer = BlastLinear

    rank: int = rank_option()
    blocks: int = blocks_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        blocks = min(self.blocks, out_features), min(self.blocks, in_features)
        return {
            "U": (out_features, self.rank),
            "S": (*blocks, self.rank),
            "V": (in_features, self.rank),
        }
