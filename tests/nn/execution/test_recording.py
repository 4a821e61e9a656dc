"""A recorded loss is the loss."""

import pytest
import torch
from torch.nn import functional

from fieldlr.nn.activations import Gaussian
from fieldlr.nn.execution import Layer, RecordedLoss, layers_loss


def network(generator, device):
    def drawn(*shape):
        return (torch.randn(shape, generator=generator) / shape[-1] ** 0.5).to(device)

    tensors = [drawn(64, 3), drawn(64), drawn(1, 64), drawn(1)]
    for tensor in tensors:
        tensor.requires_grad_()

    def loss(x, target):
        def of_rows(y, rows):
            value = functional.binary_cross_entropy_with_logits(y, target[rows], reduction="sum")
            return value, torch.sigmoid(y) - target[rows]

        first = Layer(tensors[0], tensors[1], Gaussian(0.5))
        return layers_loss([first, Layer(tensors[2], tensors[3])], x, of_rows) / len(x)

    return tensors, loss


def inputs(generator, device, rows=512):
    x = torch.rand(rows, 3, generator=generator)
    return x.to(device), (x[:, :1] > 0.5).float().to(device)


def test_on_a_cpu_the_loss_is_called_as_it_is(generator):
    tensors, loss = network(generator, "cpu")
    recorded, given = RecordedLoss(loss, tensors), inputs(generator, "cpu")
    results = []
    for function in (recorded, loss):
        value = function(*given)
        results.append([value, *torch.autograd.grad(value, tensors)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    assert recorded.graph is None


@pytest.mark.gpu
def test_a_replay_follows_its_inputs_and_its_weights(cuda, generator):
    tensors, loss = network(generator, cuda)
    recorded = RecordedLoss(loss, tensors)
    for rows in (512, 512, 512, 100):
        given = inputs(generator, cuda, rows)
        value, expected = recorded(*given), loss(*given)
        assert torch.allclose(value, expected, rtol=1e-3)
        for a, b in zip(
            torch.autograd.grad(value, tensors), torch.autograd.grad(expected, tensors), strict=True
        ):
            assert torch.allclose(a, b, rtol=1e-2, atol=1e-5)
        with torch.no_grad():
            tensors[0].mul_(0.9)
    assert recorded.graph is not None


@pytest.mark.gpu
def test_a_loss_that_cannot_be_recorded_is_called_as_it_is(cuda, generator):
    tensors, loss = network(generator, cuda)

    def reads_back(x, target):
        value = loss(x, target)
        return value * (1.0 if value.item() > 0.0 else -1.0)

    recorded, given = RecordedLoss(reads_back, tensors), inputs(generator, cuda)
    assert torch.allclose(recorded(*given), loss(*given), rtol=1e-3)
    assert recorded.graph is None
