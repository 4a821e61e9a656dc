"""Adam in a Fourier basis against Adam on the factor L of W = L B."""

import pytest
import torch

from fieldlr.training.optim import OPTIMIZERS
from fieldlr.training.optim.adam import BETAS, EPSILON, Adam
from fieldlr.training.optim.fourier import FourierAdam, fourier_basis
from fieldlr.training.optim.muon import Muon


def test_steps_are_those_of_adam_on_the_factor(generator):
    basis = fourier_basis(12)
    factor = torch.randn(7, len(basis), generator=generator, dtype=torch.float64).requires_grad_()
    weight = (factor.detach() @ basis).requires_grad_()
    x = torch.randn(30, 12, generator=generator, dtype=torch.float64)
    y = torch.randn(30, 7, generator=generator, dtype=torch.float64)
    ours = FourierAdam([{"params": [weight]}], lr=0.03)
    plain = torch.optim.Adam([factor], lr=0.03, betas=BETAS, eps=EPSILON)
    for _ in range(20):
        for optimizer, product in ((ours, weight), (plain, factor @ basis)):
            optimizer.zero_grad()
            (x @ product.T - y).square().mean().backward()
            optimizer.step()
    assert torch.allclose(weight, factor @ basis, rtol=1e-9, atol=1e-10)


def test_the_basis_spans_all_units():
    basis = fourier_basis(40)
    assert torch.linalg.matrix_rank(basis) == 40


@pytest.mark.parametrize("width", [37, 256])
def test_a_step_has_the_size_of_one_of_adam(width, generator):
    weight = torch.zeros(60, width).requires_grad_()
    weight.grad = torch.randn(60, width, generator=generator)
    FourierAdam([{"params": [weight]}], lr=0.01).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.01, rel=0.2)


def test_choices_train_matrices_apart():
    matrix, vector = (torch.zeros(shape, requires_grad=True) for shape in ((4, 4), (4,)))
    groups = [{"params": [p], "lr": 0.1, "matrices": p.ndim == 2} for p in (matrix, vector)]
    kinds = {
        name: [type(optimizer) for optimizer in choice.build(groups)]
        for name, choice in OPTIMIZERS.items()
        if choice.matrices
    }
    assert kinds == {
        "auto": [Adam, Muon],
        "fourier": [Adam, FourierAdam],
    }
