"""The engine against plain torch: same values, same gradients."""

import pytest
import torch
from torch.nn import functional

from fieldlr.nn.activations import ACTIVATIONS, Finer, Gaussian, Relu, Sine
from fieldlr.nn.execution import CHUNK_ROWS, Layer, layers_loss, run_layers

GENTLE = {"relu": Relu(), "sine": Sine(2.0), "gaussian": Gaussian(0.5), "finer": Finer(1.0)}


def test_every_activation_is_tested():
    assert GENTLE.keys() == ACTIVATIONS.keys()


def stack(activation, sizes, generator, skip_at=None, dtype=torch.float64):
    layers = []
    for index in range(len(sizes) - 1):
        skip = index == skip_at
        wide = sizes[index] + (sizes[0] if skip else 0)
        weight = torch.randn(sizes[index + 1], wide, generator=generator, dtype=dtype) / wide**0.5
        bias = torch.randn(sizes[index + 1], generator=generator, dtype=dtype) * 0.1
        last = index == len(sizes) - 2
        layers.append(
            Layer(
                weight.requires_grad_(),
                None if index == 1 else bias.requires_grad_(),
                None if last else activation,
                skip,
            )
        )
    return layers


def plain(layers, x):
    h = x
    for layer in layers:
        h = functional.linear(torch.cat([h, x], 1) if layer.skip else h, layer.weight, layer.bias)
        h = h if layer.activation is None else layer.activation(h)
    return h


def parameters(layers):
    return [t for layer in layers for t in (layer.weight, layer.bias) if t is not None]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("skip_at", [None, 2])
def test_equals_plain_torch_in_float64(name, skip_at, generator):
    activation = GENTLE[name]
    layers = stack(activation, [3, 16, 16, 16, 2], generator, skip_at)
    rows = CHUNK_ROWS + 7  # Two chunks, the second one short.
    x = torch.rand(rows, 3, generator=generator, dtype=torch.float64).requires_grad_()
    grad = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
    wanted = [x, *parameters(layers)]
    expected = plain(layers, x)
    got = run_layers(layers, x)
    assert torch.allclose(got, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(got, wanted, grad),
        torch.autograd.grad(expected, wanted, grad),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_bfloat16_gradients_are_close_to_float64(name, generator):
    activation = GENTLE[name]
    exact = stack(activation, [3, 128, 128, 128, 1], generator)
    rough = [
        Layer(
            layer.weight.detach().float().requires_grad_(),
            None if layer.bias is None else layer.bias.detach().float().requires_grad_(),
            layer.activation,
        )
        for layer in exact
    ]
    x = torch.rand(2048, 3, generator=generator, dtype=torch.float64) * 2 - 1
    run_layers(exact, x).square().sum().backward()
    run_layers(rough, x.float(), torch.bfloat16).square().sum().backward()
    for a, b in zip(parameters(rough), parameters(exact), strict=True):
        error = (a.grad.double() - b.grad).norm() / b.grad.norm()
        assert error < 0.05


def test_fused_loss_has_the_gradient_of_the_loss(generator):
    layers = stack(Gaussian(0.5), [3, 16, 16, 1], generator)
    x = torch.rand(CHUNK_ROWS + 100, 3, generator=generator, dtype=torch.float64)
    target = (torch.rand(len(x), 1, generator=generator) > 0.5).double()

    def cross_entropy(y, rows):
        loss = functional.binary_cross_entropy_with_logits(y, target[rows], reduction="sum")
        return loss, torch.sigmoid(y) - target[rows]

    got = layers_loss(layers, x, cross_entropy) / len(x)
    expected = functional.binary_cross_entropy_with_logits(plain(layers, x), target)
    assert torch.allclose(got, expected)
    for a, b in zip(
        torch.autograd.grad(got, parameters(layers)),
        torch.autograd.grad(expected, parameters(layers)),
        strict=True,
    ):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)


def test_split_coordinates_reach_a_skip(generator):
    layers = stack(GENTLE["relu"], [3, 32, 32, 1], generator, skip_at=2, dtype=torch.float32)
    x = torch.rand(64, 3, generator=generator).requires_grad_()
    got = run_layers(layers, x, torch.bfloat16)
    got.sum().backward()
    assert torch.allclose(got, plain(layers, x), atol=0.05)
    assert x.grad.abs().sum() > 0


def test_coordinates_keep_their_precision_in_bfloat16(generator):
    weight = torch.randn(64, 3, generator=generator)
    x = torch.rand(1000, 3, generator=generator) * 2 - 1
    x[:, 0] += 1e-3 * torch.rand(1000, generator=generator)
    got = run_layers([Layer(weight, None)], x, torch.bfloat16)
    exact = x @ weight.T
    # One rounding of the result, none of the coordinates.
    assert ((got - exact).abs() <= exact.abs() * 2**-8 + 1e-4).all()
