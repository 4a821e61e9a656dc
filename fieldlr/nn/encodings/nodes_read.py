"""Which nodes of a grid are read by points in occupied cells.

Nodes and cells divide the same cube; along an axis a cell reads the nodes from the last one below
it to the first one above it, so the axes are treated one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def nodes_read(occupied: Bool[Tensor, "*cells"], nodes: int) -> Bool[Tensor, "*nodes"]:
    """The nodes that are read, `nodes` along every axis, from cells with as many axes."""
    for axis in reversed(range(occupied.ndim)):
        occupied = _read_along(occupied, axis, nodes)
    return occupied


def mark_hashed(
    own: Bool[Tensor, " rows"],
    occupied: Bool[Tensor, "z y x"],
    nodes: int,
    rows_of: Callable[..., Int[Tensor, "*m"]],
) -> None:
    """Marks the rows that are read, where `rows_of` gives the row of a node by x, y and z."""
    for axis in (2, 1):
        occupied = _read_along(occupied, axis, nodes)
    for z, (first, end) in enumerate(_cells_of(nodes, len(occupied))):
        y, x = occupied[first:end].any(0).nonzero().unbind(-1)
        own[rows_of(x, y, torch.full_like(x, z))] = True
        if own.all():
            break


def _read_along(occupied: Tensor, axis: int, nodes: int) -> Tensor:
    cells = occupied.movedim(axis, 0)
    read = [cells[first:end].any(0) for first, end in _cells_of(nodes, len(cells))]
    return torch.stack(read, axis)


def _cells_of(nodes: int, cells: int) -> list[tuple[int, int]]:
    """For each node along an axis, the first of the cells that read it and the end of them."""
    edges = torch.arange(cells + 1) * (2.0 / cells) - 1.0
    places = (0.5 * (nodes - 1) * (edges + 1.0)).long().clamp(0, nodes - 2)
    low, high = places[:-1].contiguous(), places[1:] + 1
    every = torch.arange(nodes)
    first, end = torch.searchsorted(high, every), torch.searchsorted(low, every, right=True)
    return list(zip(first.tolist(), end.tolist(), strict=True))
