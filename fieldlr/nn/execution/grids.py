"""Grid encodings by tiny-cuda-nn, where it works: the same table, the same function.

Its grids (Müller et al. 2022) shift every level by half a cell, ours by none: so each level is a
call of its own, with the shift taken off the points before it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.nn.encodings.interpolation import GridEncoding
from fieldlr.nn.execution import tinycudann

CHANNELS = (1, 2, 4, 8)  # a level may have
ROW_GRANULE = 8  # Tables come in multiples of it.


def encode(encoding: nn.Module, points: Tensor) -> Tensor:
    """`encoding(points)`, points (N, 3) in [-1, 1], by the fastest way there is here."""
    if points.is_cuda and takes(encoding, points) and tinycudann.reason_against() is None:
        return read(encoding, points)
    return encoding(points)


def takes(encoding: nn.Module, points: Tensor) -> bool:
    """Whether `read` can stand in for the encoding."""
    is_grid = isinstance(encoding, GridEncoding) and points.dtype == torch.float32
    return is_grid and encoding.table.shape[1] in CHANNELS and len(points) > 0


def read(encoding: GridEncoding, points: Tensor) -> Tensor:
    """Features (N, levels x channels) at points (N, 3), differentiable in both."""
    config = encoding.config
    unit = (points.clamp(-1.0, 1.0) + 1.0) * 0.5
    tables = encoding.table.split(config.rows)
    features = [
        tinycudann.call(
            tinycudann.level(nodes, len(table), table.shape[1]),
            functional.pad(table, (0, 0, 0, -len(table) % ROW_GRANULE)).flatten(),
            unit - 0.5 / (nodes - 1),
        )
        for nodes, table in zip(config.resolutions, tables, strict=True)
    ]
    return torch.cat(features, 1)
