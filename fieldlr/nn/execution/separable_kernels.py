"""Compiled loops for products of lines and planes: the function of `SeparableEncoding`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.execution.compiled import compiled, in_threads
from fieldlr.nn.execution.grid_kernels import FEWEST_POINTS, place


def read(encoding: Any, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n features"]:
    """Features (N, terms x channels) at points (N, 3), differentiable in the table alone."""
    factors = [[(f.first, f.nodes, f.axes[0], (*f.axes, -1)[1]) for f in t] for t in encoding.terms]
    return _Read.apply(points.contiguous(), encoding.table, np.array(factors, np.int64))


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, terms: Any) -> Tensor:
        out = points.new_empty(len(points), len(terms) * table.shape[1])
        multiply, _ = _kernels(table.shape[1])
        arrays = points.numpy(), table.detach().numpy().ravel(), terms, out.numpy().ravel()
        size = max(FEWEST_POINTS, -(-len(points) // torch.get_num_threads()))
        parts = range(0, len(points), size)
        in_threads(lambda part: multiply(*arrays, part, min(part + size, len(points))), parts)
        ctx.save_for_backward(points, table)
        ctx.terms = terms
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[None, Tensor, None]:
        points, table = ctx.saved_tensors
        sums, grad = torch.zeros_like(table), grad.contiguous()
        _, spread = _kernels(table.shape[1])
        flat = [tensor.detach().numpy().ravel() for tensor in (table, grad, sums)]
        # One thread per term: no data races, and the sums are deterministic.
        terms = range(len(ctx.terms))
        in_threads(lambda term: spread(points.numpy(), *flat, ctx.terms, term), terms)
        return None, sums, None


@functools.cache
def _kernels(channels: int) -> tuple[Callable[..., None], ...]:
    """(multiply, spread), specialised so that loops over channels have a known length.

    Arrays are flat and offsets unsigned: with signed ones Numba checks every index for being
    negative, and the loops are not vectorised.
    """

    @compiled
    def multiply(points, table, terms, out, start, stop):
        """Features of the points from `start` to `stop`."""
        width = np.uint64(channels)
        for term in range(terms.shape[0]):
            for i in range(start, stop):
                to = np.uint64(i * terms.shape[0] + term) * width
                for factor in range(terms.shape[1]):
                    first, nodes, along, across = terms[term, factor]
                    x, fx = place(points[i, along], nodes)
                    gx = np.float32(1) - fx
                    a = np.uint64(first + x) * width
                    b = a + width
                    if across >= 0:
                        y, fy = place(points[i, across], nodes)
                        gy = np.float32(1) - fy
                        a += np.uint64(nodes * y) * width
                        b = a + width
                        c = a + np.uint64(nodes) * width
                        d = c + width
                        # The plane is the first factor.
                        for j in range(width):
                            out[to + j] = gy * (gx * table[a + j] + fx * table[b + j]) + fy * (
                                gx * table[c + j] + fx * table[d + j]
                            )
                    elif factor == 0:
                        for j in range(width):
                            out[to + j] = gx * table[a + j] + fx * table[b + j]
                    else:
                        for j in range(width):
                            out[to + j] *= gx * table[a + j] + fx * table[b + j]

    @compiled
    def spread(points, table, grad, sums, terms, term):
        """Accumulates the gradients (N, terms x channels) of one term in its table rows."""
        count, width = terms.shape[1], np.uint64(channels)
        values, moved = np.empty(count * channels, np.float32), np.empty(channels, np.float32)
        rows, shares = np.empty((count, 4), np.uint64), np.empty((count, 4), np.float32)
        for i in range(len(points)):
            for factor in range(count):
                first, nodes, along, across = terms[term, factor]
                x, fx = place(points[i, along], nodes)
                gx = np.float32(1) - fx
                a = np.uint64(first + x) * width
                b = a + width
                v = np.uint64(factor) * width
                if across >= 0:
                    y, fy = place(points[i, across], nodes)
                    gy = np.float32(1) - fy
                    a += np.uint64(nodes * y) * width
                    b = a + width
                    c = a + np.uint64(nodes) * width
                    d = c + width
                    rows[factor, 2], rows[factor, 3] = c, d
                    shares[factor, 0], shares[factor, 1] = gx * gy, fx * gy
                    shares[factor, 2], shares[factor, 3] = gx * fy, fx * fy
                    for j in range(width):
                        values[v + j] = gy * (gx * table[a + j] + fx * table[b + j]) + fy * (
                            gx * table[c + j] + fx * table[d + j]
                        )
                else:
                    shares[factor, 0], shares[factor, 1] = gx, fx
                    for j in range(width):
                        values[v + j] = gx * table[a + j] + fx * table[b + j]
                rows[factor, 0], rows[factor, 1] = a, b
            g = np.uint64(i * terms.shape[0] + term) * width
            for factor in range(count):
                v = np.uint64((factor + 1) % count) * width
                for j in range(width):
                    moved[j] = grad[g + j] * values[v + j]
                if count == 3:
                    v = np.uint64((factor + 2) % count) * width
                    for j in range(width):
                        moved[j] *= values[v + j]
                for corner in range(2 if terms[term, factor, 3] < 0 else 4):
                    to, share = rows[factor, corner], shares[factor, corner]
                    for j in range(width):
                        sums[to + j] += share * moved[j]

    return multiply, spread
