"""Gauss-Newton against autograd: same derivatives; against Adam: fewer steps."""

import pytest
import torch
from torch.autograd.functional import hessian
from torch.nn import functional

from fieldlr.nn.activations import Gaussian
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.nn.mlp import Mlp
from fieldlr.training.optim.gauss_newton import QuadraticModel, solve
from fieldlr.training.tasks.cross_entropy import cross_entropy, curvature

KINDS = [Full(), LowRank(2), SineLowRank(2, omega=20.0)]


def small_mlp(linear, generator, skips=()):
    mlp = Mlp(
        3,
        1,
        linear=linear,
        activation=Gaussian(0.5),
        width=8,
        depth=2,
        skips=skips,
        generator=generator,
    )
    return mlp.double()


def problem(generator, rows=60):
    x = torch.rand(rows, 3, generator=generator, dtype=torch.float64) * 2 - 1
    return x, (x.norm(dim=1, keepdim=True) < 0.8).double()


@pytest.mark.parametrize("linear", KINDS, ids=repr)
@pytest.mark.parametrize("skips", [(), (2,)])
def test_second_derivatives_are_those_of_autograd(linear, skips, generator):
    mlp = small_mlp(linear, generator, skips)
    x, target = problem(generator)
    matrix = QuadraticModel(mlp, x, cross_entropy(target), curvature).matrix
    logits = mlp(x)[:, 0].detach()
    parameters = list(mlp.parameters())
    rows = [torch.autograd.grad(mlp(x)[i, 0], parameters) for i in range(len(x))]
    jacobian = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    expected = jacobian.T @ (curvature(logits)[:, None] * jacobian) / len(x)
    assert torch.allclose(matrix, expected, rtol=1e-8, atol=1e-12)


def test_curvature_is_the_second_derivative_of_the_loss():
    y = torch.linspace(-3, 3, 7, dtype=torch.float64)
    target = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    second = hessian(
        lambda z: functional.binary_cross_entropy_with_logits(z, target, reduction="sum"), y
    )
    assert torch.allclose(second.diagonal(), curvature(y))


def test_a_matrix_that_is_not_quite_positive_is_damped_until_it_is(generator):
    root = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    matrix = root @ root.T  # Of rank 2, and made worse:
    matrix -= 0.3 * torch.eye(6, dtype=torch.float64) * matrix.diagonal().mean()
    gradient = torch.randn(6, generator=generator, dtype=torch.float64)
    direction = solve(matrix, gradient)
    assert torch.isfinite(direction).all() and direction @ gradient > 0.0


def test_twenty_steps_go_further_than_as_many_of_adam(generator):
    x, target = problem(generator, 2000)
    x, target = x.float(), target.float()
    mlp = small_mlp(SineLowRank(1), generator).float()
    adam = torch.optim.Adam(mlp.parameters(), lr=0.02)

    def loss():
        return functional.binary_cross_entropy_with_logits(mlp(x), target)

    def train(steps):
        for _ in range(steps):
            adam.zero_grad()
            loss().backward()
            adam.step()

    train(100)
    start = {name: value.clone() for name, value in mlp.state_dict().items()}
    train(20)
    by_adam = loss().item()
    mlp.load_state_dict(start)
    for _ in range(20):
        QuadraticModel(mlp, x, cross_entropy(target), curvature).descend(1.0)
    assert loss().item() < 0.8 * by_adam


def test_fixed_parameters_do_not_change(generator):
    x, target = problem(generator, 500)
    mlp = small_mlp(SineLowRank(1), generator).float()
    before = torch.cat([p.detach().flatten() for p in mlp.parameters()])
    free = torch.rand(len(before), generator=generator) < 0.5
    QuadraticModel(mlp, x.float(), cross_entropy(target.float()), curvature).descend(1.0, free)
    moved = torch.cat([p.detach().flatten() for p in mlp.parameters()]) != before
    assert moved.any() and not (moved & ~free).any()
