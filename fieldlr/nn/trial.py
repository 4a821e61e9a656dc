"""Comparison of tiny-cuda-nn with torch, to run in a subprocess because it may crash."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid, HashGrid
from fieldlr.nn.execution import fused, grids
from fieldlr.nn.execution.engine import run_layers
from fieldlr.nn.execution.layers import Layer

GRID_TOLERANCE = 1e-3  # float32, positions rounded differently
NETWORK_TOLERANCE = 5e-2  # half precision, and gradients with cancellation
ROWS = 1000  # not a multiple of any block size


def compare(device: str = "cuda") -> None:
    """Raises RuntimeError if tiny-cuda-nn's values or gradients differ from torch's."""
    generator = torch.Generator().manual_seed(0)
    for config in (HashGrid(3, 2, 4, 64, 10), DenseGrid(2, 4, 4, 9)):
        compare_grid(config, generator, device)
    compare_network([20, 48, 48, 5], generator, device)
    compare_network([3, 127, 1], generator, device)


def compare_grid(config: HashGrid | DenseGrid, generator: torch.Generator, device: str) -> None:
    """Compares the values of a grid and the gradient of its table."""
    encoding = config.build(3, generator).to(device)
    points = (2.0 * torch.rand(ROWS, 3, generator=generator) - 1.0).to(device)
    check_equal(
        f"its {type(config).__name__}",
        _and_gradients(grids.read(encoding, points), [encoding.table]),
        _and_gradients(encoding(points), [encoding.table]),
        GRID_TOLERANCE,
    )


def compare_network(sizes: list[int], generator: torch.Generator, device: str) -> None:
    """Compares the values of a network of these layer sizes and all its gradients."""
    layers = relu_layers(sizes, generator, device)
    x = torch.randn(ROWS, sizes[0], generator=generator).to(device).requires_grad_()
    tensors = [x, *(t for layer in layers for t in (layer.weight, layer.bias))]
    check_equal(
        f"its network {sizes}",
        _and_gradients(fused.run(layers, x), tensors),
        _and_gradients(run_layers(layers, x, torch.float32), tensors),
        NETWORK_TOLERANCE,
    )


def relu_layers(sizes: list[int], generator: torch.Generator, device: str) -> list[Layer]:
    """Layers from each size to the next, with biases."""
    pairs = list(pairwise(sizes))

    def drawn(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) / shape[-1] ** 0.5).to(device)

    return [
        Layer(
            drawn(outputs, inputs).requires_grad_(),
            drawn(outputs).requires_grad_(),
            None if index == len(pairs) - 1 else Relu(),
        )
        for index, (inputs, outputs) in enumerate(pairs)
    ]


def check_equal(
    what: str,
    values: Sequence[Float[Tensor, " ..."]],
    expected: Sequence[Float[Tensor, " ..."]],
    tolerance: float,
) -> None:
    """Raises RuntimeError unless tensors agree within a relative error of their norms."""
    for value, truth in zip(values, expected, strict=True):
        error = ((value - truth).norm() / truth.norm().clamp_min(1e-12)).item()
        if not error <= tolerance:
            raise RuntimeError(f"{what} differs from torch's by {error:.2g}")


def _and_gradients(y: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    weights = torch.linspace(-1.0, 2.0, y.numel(), device=y.device).view_as(y)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), tensors)]
