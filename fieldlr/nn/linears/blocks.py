"""Partitions of units into blocks, for backbones whose W is made of blocks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.system.kinds import Whole
from fieldlr.system.options import option

# Intermediate matrices have `blocks` times as many columns as the stored ones.
MOST_BLOCKS = 16


def blocks_option(default: int = 4) -> Any:
    """The option `blocks`."""
    return option(Whole(1, MOST_BLOCKS), "Blocks along each side of W", default)


def contiguous(count: int, blocks: int) -> Float[Tensor, "units blocks"]:
    """Membership (units, blocks): unit i is in block floor(i * blocks / count)."""
    return _membership(torch.arange(count) * blocks // count, blocks)


def strided(count: int, blocks: int) -> Float[Tensor, "units blocks"]:
    """Membership (units, blocks): unit i is in block i mod blocks."""
    return _membership(torch.arange(count) % blocks, blocks)


def _membership(block_of: Tensor, blocks: int) -> Tensor:
    return (block_of[:, None] == torch.arange(blocks)).float()
