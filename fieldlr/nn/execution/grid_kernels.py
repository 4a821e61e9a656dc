"""Compiled loops for grid encodings: the same function as `GridEncoding`, in a single pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.execution.compiled import compiled, in_threads

# The least number of points per thread.
FEWEST_POINTS = 2048
# Müller et al. 2022, equation 4; 32 bits are enough, because a row index has at most 24.
PRIME_Y, PRIME_Z = np.uint32(2_654_435_761), np.uint32(805_459_861)


def read(encoding: Any, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
    """Features (N, levels x channels) of a grid at points (N, 3), differentiable in both."""
    nodes, rows = np.array(encoding.levels, np.int32).T.copy()
    return _Read.apply(points.contiguous(), encoding.table, (nodes, rows))


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, levels: Any) -> Tensor:
        nodes, rows = levels
        first = rows.cumsum(dtype=np.int64) - rows
        out = points.new_empty(len(points), len(nodes) * table.shape[1])
        arrays = points.numpy(), table.detach().numpy(), nodes, rows, first, out.numpy()
        interpolate, _, _ = _kernels(table.shape[1])
        # A thread takes all its points through one level at a time: its table stays in cache.
        size = max(FEWEST_POINTS, -(-len(points) // torch.get_num_threads()))
        parts = range(0, len(points), size)
        in_threads(lambda part: interpolate(*arrays, part, min(part + size, len(points))), parts)
        ctx.save_for_backward(points, table)
        ctx.levels = nodes, rows, first
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, Tensor, None]:
        points, table = ctx.saved_tensors
        nodes, rows, first = ctx.levels
        sums, grad = torch.zeros_like(table), grad.contiguous()
        arrays = points.numpy(), grad.numpy(), nodes, rows, first, sums.numpy()
        _, spread, slopes = _kernels(table.shape[1])
        # One thread per level: no data races, and the sums are deterministic.
        in_threads(lambda level: spread(*arrays, level), range(len(nodes)))
        if not ctx.needs_input_grad[0]:
            return None, sums, None
        moved = torch.zeros_like(points)
        own = *arrays[:2], table.detach().numpy(), nodes, rows, first, moved.numpy()
        size = max(FEWEST_POINTS, -(-len(points) // torch.get_num_threads()))
        parts = range(0, len(points), size)
        in_threads(lambda part: slopes(*own, part, min(part + size, len(points))), parts)
        return moved.mul_(points.abs() <= 1.0), sums, None


@compiled
def place(coordinate: np.float32, nodes: int) -> tuple[np.int32, np.float32]:
    """(cell, fraction within it) of a coordinate in [-1, 1]."""
    inside = min(max(coordinate, np.float32(-1)), np.float32(1)) + np.float32(1)
    scaled = inside * (np.float32(0.5) * np.float32(nodes - 1))
    cell = max(min(np.int32(scaled), np.int32(nodes - 2)), np.int32(0))
    return cell, scaled - np.float32(cell)


@compiled
def _corners(x, y, z, nodes, hashed, mask):
    """The rows, within their level, of the eight corners of a cell: x first, then y, then z."""
    one = np.uint32(1)
    if hashed:
        a, b = np.uint32(x), np.uint32(x) + one
        c, e = np.uint32(y) * PRIME_Y, np.uint32(z) * PRIME_Z
        d, f = c + PRIME_Y, e + PRIME_Z
        return (
            (a ^ c ^ e) & mask, (b ^ c ^ e) & mask, (a ^ d ^ e) & mask, (b ^ d ^ e) & mask,
            (a ^ c ^ f) & mask, (b ^ c ^ f) & mask, (a ^ d ^ f) & mask, (b ^ d ^ f) & mask,
        )  # fmt: skip
    row, plane = np.uint32(nodes), np.uint32(nodes * nodes)
    a = np.uint32(x) + row * np.uint32(y) + plane * np.uint32(z)
    c, e = a + row, a + plane
    return a, a + one, c, c + one, e, e + one, e + row, e + row + one


@functools.cache
def _kernels(channels: int) -> tuple[Callable[..., None], ...]:
    """(interpolate, spread, slopes), specialised so that the loop over channels is unrolled."""
    # They repeat the lines that find a cell's corners: sharing a function that returns rows and
    # weights makes the first two together a quarter slower.

    @compiled
    def interpolate(points, table, nodes, rows, first, out, start, stop):
        """Features of the points from `start` to `stop`."""
        for level in range(len(nodes)):
            n, r, base = nodes[level], rows[level], first[level]
            hashed, mask = r != n * n * n, np.uint32(r - 1)
            for i in range(start, stop):
                x, fx = place(points[i, 0], n)
                y, fy = place(points[i, 1], n)
                z, fz = place(points[i, 2], n)
                gx, gy, gz = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
                a, b, c, d, e, f, g, h = _corners(x, y, z, n, hashed, mask)
                for j in range(channels):
                    out[i, level * channels + j] = (
                        (gx * table[base + a, j] + fx * table[base + b, j]) * (gy * gz)
                        + (gx * table[base + c, j] + fx * table[base + d, j]) * (fy * gz)
                        + (gx * table[base + e, j] + fx * table[base + f, j]) * (gy * fz)
                        + (gx * table[base + g, j] + fx * table[base + h, j]) * (fy * fz)
                    )

    @compiled
    def spread(points, grad, nodes, rows, first, sums, level):
        """Accumulates the gradients (N, levels x channels) of one level in its table rows."""
        n, r, base = nodes[level], rows[level], first[level]
        hashed, mask = r != n * n * n, np.uint32(r - 1)
        for i in range(len(points)):
            x, fx = place(points[i, 0], n)
            y, fy = place(points[i, 1], n)
            z, fz = place(points[i, 2], n)
            gx, gy, gz = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
            a, b, c, d, e, f, g, h = _corners(x, y, z, n, hashed, mask)
            for j in range(channels):
                value = grad[i, level * channels + j]
                sums[base + a, j] += value * (gy * gz) * gx
                sums[base + b, j] += value * (gy * gz) * fx
                sums[base + c, j] += value * (fy * gz) * gx
                sums[base + d, j] += value * (fy * gz) * fx
                sums[base + e, j] += value * (gy * fz) * gx
                sums[base + f, j] += value * (gy * fz) * fx
                sums[base + g, j] += value * (fy * fz) * gx
                sums[base + h, j] += value * (fy * fz) * fx

    @compiled
    def slopes(points, grad, table, nodes, rows, first, moved, start, stop):
        """Accumulates the gradients of the points from `start` to `stop`."""
        for level in range(len(nodes)):
            n, r, base = nodes[level], rows[level], first[level]
            hashed, mask = r != n * n * n, np.uint32(r - 1)
            scale = np.float32(0.5) * np.float32(n - 1)
            for i in range(start, stop):
                x, fx = place(points[i, 0], n)
                y, fy = place(points[i, 1], n)
                z, fz = place(points[i, 2], n)
                gy, gz = np.float32(1) - fy, np.float32(1) - fz
                a, b, c, d, e, f, g, h = _corners(x, y, z, n, hashed, mask)
                for j in range(channels):
                    value = grad[i, level * channels + j] * scale
                    # Differences along the four x edges, then values at the four edge points.
                    ab, cd = (
                        table[base + b, j] - table[base + a, j],
                        table[base + d, j] - table[base + c, j],
                    )
                    ef, gh = (
                        table[base + f, j] - table[base + e, j],
                        table[base + h, j] - table[base + g, j],
                    )
                    ac = table[base + a, j] + fx * ab
                    bd = table[base + c, j] + fx * cd
                    eg = table[base + e, j] + fx * ef
                    fh = table[base + g, j] + fx * gh
                    moved[i, 0] += value * (gz * (gy * ab + fy * cd) + fz * (gy * ef + fy * gh))
                    moved[i, 1] += value * (gz * (bd - ac) + fz * (fh - eg))
                    moved[i, 2] += value * (gy * (eg - ac) + fy * (fh - bd))

    return interpolate, spread, slopes
