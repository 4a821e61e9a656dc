"""The backbone `monarch`: two block-diagonal matrices with a permutation between them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.blocks import blocks_option, contiguous, strided
from fieldlr.nn.linears.linear import Passes, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear


class MonarchLinear(StructuredLinear):
    """Every block of W has a low rank of its own.

    W_ij is the sum over s of U[i, q(j), s] V[j, p(i), s], with the block p of output i and the
    block q of input j. In the terms of Monarch, V holds the blocks of the first matrix and U those
    of the second. Outputs are dealt to the blocks in turn and inputs are not, so that a block of
    the next layer reads outputs of every block: that is the permutation.
    """

    start_at_zero = "U"

    config: Monarch
    U: Float[Tensor, "out columns"]
    V: Float[Tensor, "in columns"]
    output_blocks: Float[Tensor, "out blocks"]
    input_blocks: Float[Tensor, "in blocks"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        blocks, rank = self.config.blocks, self.config.rank
        for side, blocks_of in (
            ("output_blocks", strided(shapes["U"][0], blocks)),
            ("input_blocks", contiguous(shapes["V"][0], blocks)),
        ):
            self.register_buffer(side, blocks_of, persistent=False)
        size: float = (std / rank**0.5) ** 0.5
        return dict.fromkeys(shapes, size)

    def spread(self) -> tuple[Float[Tensor, "out _"], Float[Tensor, "in _"]]:
        """L (out, q p s) and R (in, q p s), mostly zeros, with W = L R^T."""
        blocks = self.config.blocks
        u = self.U.unflatten(1, (blocks, 1, -1)) * self.output_blocks[:, None, :, None]
        v = self.V.unflatten(1, (1, blocks, -1)) * self.input_blocks[:, :, None, None]
        return u.flatten(1), v.flatten(1)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        left, right = self.spread()
        return left @ right.T

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        left, right = (factor.to(inputs.dtype) for factor in self.spread())
        split = (self.config.blocks, self.config.blocks, -1)
        read, written = (inputs @ right).unflatten(1, split), (deltas @ left).unflatten(1, split)
        # Of the sums of all blocks (N, q, p, s), an output takes those of its own p.
        of_outputs = torch.einsum("nqps,ip->niqs", read, self.output_blocks.to(inputs.dtype))
        of_inputs = torch.einsum("nqps,jq->njps", written, self.input_blocks.to(inputs.dtype))
        by_u = deltas[:, :, None, None] * of_outputs
        by_v = inputs[:, :, None, None] * of_inputs
        return {"U": by_u.flatten(1), "V": by_v.flatten(1)}


@dataclass(frozen=True)
class Monarch(Structured):
    """Stores U (out, blocks * rank) and V (in, blocks * rank) (Dao et al. 2022).

    W has blocks * blocks blocks of the rank `rank`; Monarch's own has a rank that makes W
    invertible, GraLoRA's (2025) is chosen freely, as here. One block is `low-rank`.
    """

    name = "monarch"
    number = 5
    summary = "two block-diagonal matrices and a permutation: full rank, each block of low rank"
    layer = MonarchLinear

    rank: int = rank_option(1)
    blocks: int = blocks_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        columns = self.blocks * self.rank
        return {"U": (out_features, columns), "V": (in_features, columns)}
