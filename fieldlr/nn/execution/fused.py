"""Networks by tiny-cuda-nn's FullyFusedMLP: all layers in one launch, where the shape fits.

It multiplies in half precision, its hidden layers are 16, 32, 64 or 128 wide, and it has no biases.
Here a bias is the weight of a one that the input carries and every hidden layer hands on in a unit
of its own, since max(1, 0) = 1:

    [[W, b], [0, 1]] [h, 1] = [W h + b, 1]

So nothing is dropped, and a network of width w takes a fused one of at least w + 1. Factors are
multiplied out and sine weights are dense anyway: every backbone runs as the same dense network,
and autograd leads the gradients of its weights back to what is stored.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from fieldlr.nn.execution import tinycudann
from fieldlr.nn.execution.layers import MAX_SPLIT_FEATURES, Layer, LossOfRows, with_gradients

# Biases are carried by a unit that stays 1, which max(z, 0) hands on.
FUSED_ACTIVATION = "ReLU"
WIDTHS = (16, 32, 64, 128)
GRANULE = 16  # Inputs and outputs come in multiples of it.
# Up to here the first matrix fits the shared memory of every card, and the last one is fused.
MAX_INPUTS, MAX_OUTPUTS = 128, 16
# Gradients travel in half precision: scaled so that no weight's sum over the rows is far above
# this times an activation, and most rows are far from zero.
GRADIENT_SUM = 1024.0


def reason_against(layers: list[Layer]) -> str | None:
    """Why a stack of layers does not fit, in a few words; None if it does."""
    if any(layer.skip for layer in layers):
        return "a layer sees the input again"
    matrices = _matrices(layers)
    if len(matrices) < 2:
        return "there is no hidden layer"
    activations = [group[-1].activation for group in matrices[:-1]]
    if any(a is None or a.tinycudann != FUSED_ACTIVATION for a in activations):
        return "the activation is not relu"
    if layers[-1].activation is not None:
        return "the last layer has an activation"
    inputs = _num_inputs(layers[0].weight.shape[1])
    if inputs > MAX_INPUTS:
        return f"{inputs - 1} inputs and a one for the biases are more than {MAX_INPUTS}"
    width = _most_units(matrices)
    if width > WIDTHS[-1]:
        return f"{width - 1} units and a one for the biases are more than {WIDTHS[-1]}"
    outputs = layers[-1].weight.shape[0]
    return f"{outputs} outputs are more than {MAX_OUTPUTS}" if outputs > MAX_OUTPUTS else None


def takes(layers: list[Layer], x: Float[Tensor, "n in"], dtype: torch.dtype) -> bool:
    """Whether `run` is the way for rows x that may be multiplied in `dtype`."""
    low_precision_on_gpu = x.is_cuda and dtype == torch.bfloat16 and len(x) > 0
    return (
        low_precision_on_gpu
        and reason_against(layers) is None
        and tinycudann.reason_against() is None
    )


def run(layers: list[Layer], x: Float[Tensor, "n in"]) -> Float[Tensor, "n out"]:
    """What `engine.run_layers` gives, in half precision."""
    matrices = _matrices(layers)
    width = next(w for w in WIDTHS if w >= _most_units(matrices))
    module = tinycudann.network(
        _padded(_num_inputs(x.shape[1])), layers[-1].weight.shape[0], width, len(matrices) - 1
    )
    return _RunFused.apply(module, rows_with_one(x), parameters(layers, width))


def loss(
    layers: list[Layer], x: Float[Tensor, "n in"], loss_of_rows: LossOfRows
) -> Float[Tensor, ""]:
    """What `engine.layers_loss` gives, in half precision and all rows at once."""
    y = run(layers, x)
    total, gradient = loss_of_rows(y.detach(), slice(0, len(x)))
    return with_gradients(total, [y], [gradient])


def rows_with_one(x: Float[Tensor, "n in"]) -> Float[Tensor, "n columns"]:
    """What the fused network sees of rows (N, in): [x, 1, 0, ...], coordinates split before."""
    if x.shape[1] <= MAX_SPLIT_FEATURES:
        high, low = _halves(x)
        x = torch.cat([high, high, low], 1)
    x = functional.pad(x, (0, 1), value=1.0)
    return functional.pad(x, (0, -x.shape[1] % GRANULE))


def parameters(layers: list[Layer], width: int) -> Float[Tensor, " m"]:
    """The weights and biases as the fused network stores them, one after another.

    Matrices are row by row (out, in): (width, inputs), (width, width) ..., (outputs, width), with
    inputs and outputs padded to multiples of 16.
    """
    matrices, flat = _matrices(layers), []
    for index, group in enumerate(matrices):
        weight = _product(group)
        if index == 0 and weight.shape[1] <= MAX_SPLIT_FEATURES:
            high, low = _halves(weight)
            weight = torch.cat([high, low, high], 1)
        last = index == len(matrices) - 1
        columns = _padded(weight.shape[1] + 1) if index == 0 else width
        rows = _padded(weight.shape[0]) if last else width
        flat.append(_with_bias(weight, group[-1].bias, rows, columns, hand_on=not last).flatten())
    return torch.cat(flat)


def _with_bias(
    weight: Tensor, bias: Tensor | None, rows: int, columns: int, hand_on: bool
) -> Tensor:
    """[[W, b], [0, 1]] (rows, columns), zero elsewhere; without its 1 unless `hand_on`."""
    outputs, inputs = weight.shape
    column = weight.new_zeros(outputs) if bias is None else bias
    matrix = torch.cat([weight, column[:, None]], 1)
    if hand_on:
        one = functional.pad(weight.new_ones(1, 1), (inputs, 0))
        matrix = torch.cat([matrix, one])
    return functional.pad(matrix, (0, columns - matrix.shape[1], 0, rows - matrix.shape[0]))


class _RunFused(torch.autograd.Function):
    """(module, rows, parameters) to the module's outputs, whatever the scale of the gradients."""

    @staticmethod
    def forward(ctx: Any, module: nn.Module, rows: Tensor, parameters: Tensor) -> Tensor:
        wanted = ctx.needs_input_grad[1:]
        with torch.enable_grad():
            ctx.inputs = [
                t.detach().requires_grad_(w)
                for t, w in zip((rows, parameters), wanted, strict=True)
            ]
            ctx.outputs = tinycudann.call(module, ctx.inputs[1], ctx.inputs[0])
        return ctx.outputs.detach().to(rows.dtype)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - as torch documents it
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        scale = GRADIENT_SUM / grad.abs().sum(0).max().clamp_min(1e-20)
        wanted = [t for t in ctx.inputs if t.requires_grad]
        found = torch.autograd.grad(ctx.outputs, wanted, (grad * scale).to(ctx.outputs.dtype))
        found = iter(found)
        return None, *(next(found) / scale if t.requires_grad else None for t in ctx.inputs)


def _matrices(layers: list[Layer]) -> list[list[Layer]]:
    """The layers whose matrices multiply to one: a last one, and factors before it."""
    groups, group = [], []
    for layer in layers:
        group.append(layer)
        if layer.activation is not None or layer.bias is not None or layer is layers[-1]:
            groups.append(group)
            group = []
    return groups


def _product(group: list[Layer]) -> Tensor:
    weight = group[0].weight
    for layer in group[1:]:
        weight = layer.weight @ weight
    return weight


def _halves(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """(high, low), whose sum the numbers are and which half precision holds; high is followed."""
    low = (numbers - numbers.to(torch.float16)).detach()
    return numbers - low, low


def _num_inputs(features: int) -> int:
    """Columns before padding: the features, or the parts of coordinates, and the one."""
    return 1 + (3 * features if features <= MAX_SPLIT_FEATURES else features)


def _most_units(matrices: list[list[Layer]]) -> int:
    return 1 + max(group[-1].weight.shape[0] for group in matrices[:-1])


def _padded(size: int) -> int:
    return -(-size // GRANULE) * GRANULE
