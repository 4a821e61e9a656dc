"""Networks run by tiny-cuda-nn's FullyFusedMLP, all layers in one launch, where supported.

It works in half precision, its hidden layers are 16, 32, 64 or 128 wide, and it has no biases.
Biases are emulated as weights of a constant 1 in the input that every hidden layer passes on in a
unit of its own, since max(1, 0) = 1:

    [[W, b], [0, 1]] [h, 1] = [W h + b, 1]

So a network of width w takes a fused one of at least w + 1. Factors are multiplied out and sine
weights are dense anyway: every backbone runs as a dense network, and autograd propagates the
gradients of its weights to the stored parameters.
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

# The constant 1 of the biases passes through max(z, 0) unchanged.
FUSED_ACTIVATION = "ReLU"
WIDTHS = (16, 32, 64, 128)
GRANULE = 16  # Inputs and outputs are padded to multiples of it.
# Within these the first matrix fits the shared memory of every GPU, and the last one is fused.
MAX_INPUTS, MAX_OUTPUTS = 128, 16
# Gradients are in half precision: scaled so that no weight's sum over the rows is far above this
# times an activation, and most rows do not underflow.
GRADIENT_SUM = 1024.0


def reason_against(layers: list[Layer]) -> str | None:
    """Why a stack of layers is not supported; None if it is."""
    if any(layer.skip for layer in layers):
        return "a layer has a skip connection"
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
        return f"{inputs - 1} inputs and a constant for biases exceed {MAX_INPUTS}"
    width = _most_units(matrices)
    if width > WIDTHS[-1]:
        return f"{width - 1} units and a constant for biases exceed {WIDTHS[-1]}"
    outputs = layers[-1].weight.shape[0]
    return f"{outputs} outputs exceed {MAX_OUTPUTS}" if outputs > MAX_OUTPUTS else None


def takes(layers: list[Layer], x: Float[Tensor, "n in"], dtype: torch.dtype) -> bool:
    """Whether `run` can take rows x whose products may be in `dtype`."""
    low_precision_on_gpu = x.is_cuda and dtype == torch.bfloat16 and len(x) > 0
    return (
        low_precision_on_gpu
        and reason_against(layers) is None
        and tinycudann.reason_against() is None
    )


def run(layers: list[Layer], x: Float[Tensor, "n in"]) -> Float[Tensor, "n out"]:
    """`engine.run_layers` in half precision."""
    matrices = _matrices(layers)
    width = next(w for w in WIDTHS if w >= _most_units(matrices))
    module = tinycudann.network(
        _padded(_num_inputs(x.shape[1])), layers[-1].weight.shape[0], width, len(matrices) - 1
    )
    return _RunFused.apply(module, rows_with_one(x), parameters(layers, width))


def loss(
    layers: list[Layer], x: Float[Tensor, "n in"], loss_of_rows: LossOfRows
) -> Float[Tensor, ""]:
    """`engine.layers_loss` in half precision, with all rows at once."""
    y = run(layers, x)
    total, gradient = loss_of_rows(y.detach(), slice(0, len(x)))
    return with_gradients(total, [y], [gradient])


def rows_with_one(x: Float[Tensor, "n in"]) -> Float[Tensor, "n columns"]:
    """The fused network's input for rows (N, in): [x, 1, 0, ...], with coordinates split."""
    if x.shape[1] <= MAX_SPLIT_FEATURES:
        high, low = _halves(x)
        x = torch.cat([high, high, low], 1)
    x = functional.pad(x, (0, 1), value=1.0)
    return functional.pad(x, (0, -x.shape[1] % GRANULE))


def parameters(layers: list[Layer], width: int) -> Float[Tensor, " m"]:
    """The weights and biases in the fused network's layout, concatenated.

    Matrices (out, in) are row-major: (width, inputs), (width, width) ..., (outputs, width), with
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
        flat.append(_with_bias(weight, group[-1].bias, rows, columns, pass_on=not last).flatten())
    return torch.cat(flat)


def _with_bias(
    weight: Tensor, bias: Tensor | None, rows: int, columns: int, pass_on: bool
) -> Tensor:
    """[[W, b], [0, 1]] padded with zeros to (rows, columns); the 1 only with `pass_on`."""
    outputs, inputs = weight.shape
    column = weight.new_zeros(outputs) if bias is None else bias
    matrix = torch.cat([weight, column[:, None]], 1)
    if pass_on:
        one = functional.pad(weight.new_ones(1, 1), (inputs, 0))
        matrix = torch.cat([matrix, one])
    return functional.pad(matrix, (0, columns - matrix.shape[1], 0, rows - matrix.shape[0]))


class _RunFused(torch.autograd.Function):
    """The module's outputs, with gradients rescaled to the range of half precision."""

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
    """Layers grouped by the dense matrix that they form: factors, then the last one."""
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
    """(high, low), each exact in half precision, that sum to the numbers; gradients go to high."""
    low = (numbers - numbers.to(torch.float16)).detach()
    return numbers - low, low


def _num_inputs(features: int) -> int:
    """Columns before padding: the features, split if coordinates, and the constant 1."""
    return 1 + (3 * features if features <= MAX_SPLIT_FEATURES else features)


def _most_units(matrices: list[list[Layer]]) -> int:
    return 1 + max(group[-1].weight.shape[0] for group in matrices[:-1])


def _padded(size: int) -> int:
    return -(-size // GRANULE) * GRANULE
