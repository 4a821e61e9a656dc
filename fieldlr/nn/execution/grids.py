"""Grid encodings by the fastest available backend: same table, same function.

On a CPU that is a compiled loop (`grid_kernels`), on an NVIDIA GPU tiny-cuda-nn. The latter shifts
every level by half a cell (Müller et al. 2022), ours does not; so each level is a call of its own
on points from which that shift has been subtracted.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fieldlr.nn.execution import compiled, tinycudann

CHANNELS = (1, 2, 4, 8)  # supported per level
ROW_GRANULE = 8  # Tables are padded to multiples of it.


def encode(encoding: Any, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
    """`encoding(points)`, points (N, 3) in [-1, 1], by the fastest available backend."""
    if encoding.terms and compiled.takes(points) and not points.requires_grad:
        from fieldlr.nn.execution import separable_kernels

        return separable_kernels.read(encoding, points)
    if not takes(encoding, points):
        return encoding(points)
    if compiled.takes(points):
        from fieldlr.nn.execution import grid_kernels

        return grid_kernels.read(encoding, points)
    if points.is_cuda and tinycudann.reason_against() is None:
        return read(encoding, points)
    return encoding(points)


def takes(encoding: Any, points: Float[Tensor, "n 3"]) -> bool:
    """Whether `read` supports the encoding and the points."""
    is_grid = bool(encoding.levels) and points.dtype == torch.float32
    return is_grid and encoding.table.shape[1] in CHANNELS and len(points) > 0


def read(encoding: Any, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
    """Features (N, levels x channels) of a grid at points (N, 3), differentiable in both."""
    unit = (points.clamp(-1.0, 1.0) + 1.0) * 0.5
    tables = encoding.table.split([rows for _, rows in encoding.levels])
    features = [
        tinycudann.call(
            tinycudann.level(nodes, len(table), table.shape[1]),
            functional.pad(table, (0, 0, 0, -len(table) % ROW_GRANULE)).flatten(),
            unit - 0.5 / (nodes - 1),
        )
        for (nodes, _), table in zip(encoding.levels, tables, strict=True)
    ]
    return torch.cat(features, 1)
