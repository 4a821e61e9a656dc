"""Execution of MLP layers: number format, chunking, hand-written backward pass.

Rows pass through all layers in chunks whose activations stay in the caches. Where the CPU has fast
bfloat16 products, training uses them with float32 master weights: weights are cast on entry,
gradients are accumulated in float32. The backward pass is written by hand, so that element-wise
work is done in place and scales cost no pass of their own (see `activations`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fieldlr.nn.execution import fused
from fieldlr.nn.execution.layers import (
    MAX_SPLIT_FEATURES,
    Layer,
    LossOfRows,
    fast_format,
    with_gradients,
)

# 4,096 rows of 256 bfloat16 values are 2 MiB: a megabyte per core on two cores.
CHUNK_ROWS = 4096
# bfloat16 products are compiled for each new number of rows, which takes a millisecond: the last
# chunk is padded to a multiple of this.
ROW_GRANULE = 512
# A GPU needs few, large products: this many rows of 256 bfloat16 values are 128 MiB.
GPU_CHUNK_ROWS = 1 << 18


def run_layers(
    layers: list[Layer], x: Float[Tensor, "n in"], dtype: torch.dtype | None = None
) -> Float[Tensor, "n out"]:
    """The outputs (N, out) of the layers for rows x (N, in), in x's dtype.

    Differentiable in x and in every weight and bias. `dtype` is that of the products: by default
    the fast one where gradients are enabled, else x's own, so that evaluation is exact.
    """
    if dtype is None:
        fast = torch.is_grad_enabled() and x.dtype == torch.float32
        dtype = fast_format(x.device.type) if fast else x.dtype
    if fused.takes(layers, x, dtype):
        return fused.run(layers, x)
    # Inside a Function, is_grad_enabled no longer says whether a backward pass can follow.
    return _RunLayers.apply(x, layers, dtype, torch.is_grad_enabled(), *_tensors(layers))


def layers_loss(
    layers: list[Layer],
    x: Float[Tensor, "n in"],
    loss_of_rows: LossOfRows,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, ""]:
    """The sum of losses over rows x (N, in), forward and backward one chunk at a time.

    A chunk stays in the caches between its two passes.
    """
    dtype = dtype or (fast_format(x.device.type) if x.dtype == torch.float32 else x.dtype)
    if fused.takes(layers, x, dtype):
        return fused.loss(layers, x, loss_of_rows)
    with torch.no_grad():
        stack = _Stack(layers, dtype, _must_split(x, dtype))
        sums = _Sums(layers)
        total = x.new_zeros(())
        for rows in chunks(x):
            kept = []
            y = stack.forward(x[rows], kept)
            loss, grad = loss_of_rows(y.to(x.dtype), rows)
            total += loss
            stack.backward(grad.to(dtype, copy=True), kept, x[rows], sums, want_x=False)
        gradients = sums.finished()
    return with_gradients(total, _tensors(layers), gradients)


@torch.no_grad()
def layer_passes(
    layers: list[Layer], x: Float[Tensor, "n in"], dtype: torch.dtype | None = None
) -> Iterator[
    tuple[slice, Float[Tensor, " m"], list[tuple[Float[Tensor, "m _"], Float[Tensor, "m _"]]]]
]:
    """(rows, y, passes) of each chunk of x (N, in), for layers with one output.

    `passes` has, for each layer, its inputs h (M, in) and the derivatives of y by weight h + bias
    (M, out), in the dtype of the products.
    """
    dtype = dtype or (fast_format(x.device.type) if x.dtype == torch.float32 else x.dtype)
    stack = _Stack(layers, dtype, _must_split(x, dtype))
    for rows in chunks(x):
        kept, passes = [], _Passes(layers)
        y = stack.forward(x[rows], kept)
        stack.backward(torch.ones_like(y), kept, x[rows], passes, want_x=False)
        yield rows, y[:, 0].to(x.dtype), passes.layers


class _Stack:
    """The layers in the dtype of the products, with activation scales folded in."""

    def __init__(self, layers: list[Layer], dtype: torch.dtype, split: bool) -> None:
        self.layers, self.dtype, self.split = layers, dtype, split
        self.weights, self.biases, self.backward_weights = [], [], []
        for layer in layers:
            scale, slope = _scales(layer)
            weight = layer.weight.detach() * scale
            bias = None if layer.bias is None else layer.bias.detach() * scale
            self.weights.append(weight.to(dtype))
            self.biases.append(None if bias is None else bias.to(dtype))
            self.backward_weights.append((weight * slope).to(dtype))
        if split:
            first = layers[0].weight.detach() * _scales(layers[0])[0]
            self.weights[0] = _split_weight(first, dtype)

    def forward(self, x: Tensor, keep: list | None) -> Tensor:
        """Outputs (M, out) of rows (M, in); appends to `keep` what the backward pass needs."""
        source = x.to(self.dtype)
        h = _split_rows(x, self.dtype) if self.split else source
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            u = _affine(h, source if layer.skip else None, weight, bias)
            activation = layer.activation
            out = u if activation is None else activation.forward(u)
            if keep is not None:
                keep.append((h, u, out))
            h = out
        return h

    def backward(
        self, grad: Tensor, kept: list, x: Tensor, sums: _Sums | _Passes, want_x: bool
    ) -> Tensor | None:
        """Adds the gradients of one chunk to `sums`; returns dL/dx (M, in) if `want_x`."""
        source = x.to(self.dtype) if any(layer.skip for layer in self.layers) else None
        grad_x = None
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            h, u, out = kept[index]
            if layer.activation is not None:
                grad = layer.activation.backward(grad, u, out)
            if index == 0 and self.split:
                h = x.to(self.dtype)
            sums.add(index, grad, h, source if layer.skip else None)
            if index == 0 and not want_x:
                return None
            back = grad @ self.backward_weights[index]
            if layer.skip:
                width = h.shape[1]
                grad_x = back[:, width:] if grad_x is None else grad_x + back[:, width:]
                back = back[:, :width].contiguous()
            grad = back
        return grad if grad_x is None else grad + grad_x


class _Sums:
    """Gradients of all weights and biases, summed over chunks in the master weights' dtype."""

    def __init__(self, layers: list[Layer]):
        self.layers = layers
        self.weights = [torch.zeros_like(layer.weight) for layer in layers]
        self.biases = [None if b is None else torch.zeros_like(b) for b in (x.bias for x in layers)]

    def add(self, index: int, grad: Tensor, h: Tensor, source: Tensor | None) -> None:
        weight = self.weights[index]
        transposed = grad.t()
        if source is None:
            weight += transposed @ h
        else:
            weight[:, : h.shape[1]] += transposed @ h
            weight[:, h.shape[1] :] += transposed @ source
        bias = self.biases[index]
        if bias is not None:
            # A product with ones: a column sum would accumulate in bfloat16.
            bias += grad.new_ones(len(grad)) @ grad

    def finished(self) -> list[Tensor | None]:
        """Weight, bias, weight, bias, ... with the scales reapplied."""
        result = []
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            scale, slope = _scales(layer)
            result += [
                weight.mul_(scale * slope),
                None if bias is None else bias.mul_(scale * slope),
            ]
        return result


class _Passes:
    """A substitute for `_Sums` that records the inputs and derivatives of each layer."""

    def __init__(self, layers: list[Layer]):
        self.scales = [_scales(layer) for layer in layers]
        self.layers: list[tuple[Tensor, Tensor]] = []

    def add(self, index: int, grad: Tensor, h: Tensor, source: Tensor | None) -> None:
        scale, slope = self.scales[index]
        h = h if source is None else torch.cat([h, source], 1)
        self.layers.insert(0, (h, grad * (scale * slope)))  # The last layer comes first.


class _RunLayers(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        layers: list[Layer],
        dtype: torch.dtype,
        with_grad: bool,
        *tensors: Tensor | None,
    ) -> Tensor:
        split = _must_split(x, dtype)
        stack = _Stack(layers, dtype, split)
        ctx.stack, ctx.x, ctx.kept = stack, x, []
        needed = with_grad and any(ctx.needs_input_grad)
        y = x.new_empty(len(x), layers[-1].weight.shape[0])
        for rows in chunks(x):
            keep = [] if needed else None
            y[rows] = stack.forward(_filled(x, rows), keep)[: rows.stop - rows.start]
            ctx.kept.append(keep)
        return y

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        stack, x = ctx.stack, ctx.x
        want_x = ctx.needs_input_grad[0]
        sums = _Sums(stack.layers)
        grad_x = torch.empty_like(x) if want_x else None
        for rows, kept in zip(chunks(x), ctx.kept, strict=True):
            chunk = _filled(grad, rows).to(stack.dtype, copy=True)
            result = stack.backward(chunk, kept, _filled(x, rows), sums, want_x)
            if grad_x is not None and result is not None:
                grad_x[rows] = result[: rows.stop - rows.start]
        ctx.kept = None
        return (grad_x, None, None, None, *sums.finished())


def chunks(x: Float[Tensor, "n in"]) -> list[slice]:
    """Slices that cover the rows of x, each of a size that suits its device."""
    size = CHUNK_ROWS if x.device.type == "cpu" else GPU_CHUNK_ROWS
    return [slice(i, min(i + size, len(x))) for i in range(0, len(x), size)]


def _filled(x: Tensor, rows: slice) -> Tensor:
    """These rows of x (N, C), with rows of zeros behind them up to a whole number of granules."""
    missing = (rows.start - rows.stop) % ROW_GRANULE
    part = x[rows]
    return functional.pad(part, (0, 0, 0, missing)) if missing and not x.is_cuda else part


def _tensors(layers: list[Layer]) -> list[Tensor | None]:
    return [t for layer in layers for t in (layer.weight, layer.bias)]


def _scales(layer: Layer) -> tuple[float, float]:
    if layer.activation is None:
        return 1.0, 1.0
    return layer.activation.scale, layer.activation.slope


def _affine(h: Tensor, source: Tensor | None, weight: Tensor, bias: Tensor | None) -> Tensor:
    """[h, source] weight^T + bias without concatenating the two inputs."""
    width = h.shape[1]
    main = weight[:, :width].t()
    u = h @ main if bias is None else torch.addmm(bias, h, main)
    return u if source is None else u.addmm_(source, weight[:, width:].t())


def _must_split(x: Tensor, dtype: torch.dtype) -> bool:
    return dtype == torch.bfloat16 and x.shape[1] <= MAX_SPLIT_FEATURES


def _split_rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Coordinates as [high, high, low], to be multiplied by `_split_weight`."""
    high = x.to(dtype)
    return torch.cat([high, high, (x - high).to(dtype)], 1)


def _split_weight(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """[high, low, high]: with `_split_rows` the product except low times low."""
    high = weight.to(dtype)
    return torch.cat([high, (weight - high).to(dtype), high], 1)
