"""Muon: an orthogonal factor, and a matrix that it trains."""

import pytest
import torch

from fieldlr.training.optim.muon import Muon, orthogonal_factor


@pytest.mark.parametrize("shape", [(32, 32), (48, 20), (20, 48)])
def test_singular_values_come_near_one(shape):
    draw = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=draw)
    factor = orthogonal_factor(matrix)
    values = torch.linalg.svdvals(factor)
    assert factor.shape == matrix.shape
    assert values.min() > 0.6 and values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    exact = left @ right
    assert (factor * exact).sum() / (factor.norm() * exact.norm()) > 0.97


def test_a_step_does_not_depend_on_the_size_of_the_gradient():
    steps = []
    for scale in (1e-6, 1.0, 1e6):
        matrix = torch.nn.Parameter(torch.zeros(8, 8))
        matrix.grad = scale * torch.eye(8)
        Muon([{"params": [matrix], "lr": 0.01}]).step()
        steps.append(matrix.detach())
    assert torch.allclose(steps[0], steps[1], rtol=1e-2)
    assert torch.allclose(steps[1], steps[2], rtol=1e-2)
    assert steps[1].square().mean().sqrt() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_badly_conditioned_least_squares():
    """Directions whose gradients differ by a thousand are trained alike."""
    draw = torch.Generator().manual_seed(0)
    goal = torch.randn(16, 16, generator=draw)
    inputs = torch.randn(64, 16, generator=draw) * torch.logspace(0, -1.5, 16)

    def error(optimizer_of):
        matrix = torch.nn.Parameter(torch.zeros(16, 16))
        optimizer = optimizer_of(matrix)
        for step in range(300):
            for group in optimizer.param_groups:
                group["lr"] = 0.3 * (1.0 - step / 300)
            optimizer.zero_grad()
            (inputs @ (matrix - goal)).square().mean().backward()
            optimizer.step()
        return (matrix - goal).norm().item()

    muon = error(lambda p: Muon([{"params": [p]}]))
    plain = error(lambda p: torch.optim.SGD([p], 0.3))
    assert muon < 0.5 * plain
