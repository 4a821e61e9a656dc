"""Spectra of layers, and what the paper's theory says of them."""

import math

import pytest
import torch
from torch import nn

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import Full, LowRank, SineLowRank, replace
from fieldlr.study.spectrum import FUNCTIONS, Spectrum, layer_spectra


def generator():
    return torch.Generator().manual_seed(0)


def test_a_known_matrix():
    spectrum = Spectrum("known", torch.diag(torch.tensor([3.0, 2.0, 0.0], dtype=torch.float64)))
    assert spectrum.rank == 2
    assert spectrum.stable_rank == pytest.approx(13 / 9)
    assert spectrum.to_json()["singular_values"] == pytest.approx([3.0, 2.0, 0.0])


@pytest.mark.parametrize("shape", [(40, 24), (24, 40), (30, 30)])
def test_the_nuclear_norm_is_at_most_its_bound(shape):
    weight = torch.randn(shape, generator=generator(), dtype=torch.float64)
    spectrum = Spectrum("random", weight)
    assert spectrum.nuclear_norm == pytest.approx(torch.linalg.matrix_norm(weight, "nuc").item())
    assert spectrum.nuclear_norm < spectrum.nuclear_bound
    columns = torch.linalg.qr(weight if shape[0] >= shape[1] else weight.T).Q
    orthogonal = Spectrum("orthogonal", columns if shape[0] >= shape[1] else columns.T)
    assert orthogonal.nuclear_norm == pytest.approx(orthogonal.nuclear_bound)


@pytest.mark.parametrize("rank", [1, 5])
def test_low_rank_keeps_its_rank_and_the_sine_lifts_it(rank):
    model = nn.Sequential(nn.Linear(96, 96))
    low, sine = (
        layer_spectra(replace(nn.Sequential(nn.Linear(96, 96)), kind(rank), generator()))[0]
        for kind in (LowRank, SineLowRank)
    )
    assert low.rank == rank
    assert sine.rank > 4 * rank and sine.stable_rank > low.stable_rank
    dense = layer_spectra(replace(model, Full(), generator()))[0]
    assert dense.rank == 96


# method.md's table of stable ranks at 256 x 256: figures of one draw, so with a margin.
@pytest.mark.parametrize(
    ("rank", "omega", "expected"),
    [(1, 100, 1.8), (1, 800, 9.2), (2, 200, 10.7), (5, 100, 11.4), (20, 50, 13), (20, 400, 66)],
)
def test_stable_ranks_at_the_start(rank, omega, expected):
    layers = [SineLowRank(rank, float(omega)).build(256, 256) for _ in range(5)]
    means = [layer_spectra(nn.Sequential(layer))[0].stable_rank for layer in layers]
    assert sum(means) / 5 == pytest.approx(expected, rel=0.3)


def test_other_functions_lift_less():
    layer = SineLowRank(5, 200.0).build(256, 256, generator=generator())
    model = nn.Sequential(layer)
    lifted = {name: layer_spectra(model, name)[0].stable_rank for name in FUNCTIONS}
    assert lifted["sine"] == pytest.approx(layer_spectra(model)[0].stable_rank, rel=1e-4)
    assert all(lifted["sine"] > 2 * lifted[name] for name in FUNCTIONS if name != "sine")
    with pytest.raises(FieldlrError, match="`function` is one of"):
        layer_spectra(model, "cosine")


def test_theorem_3_1_over_random_factors():
    """Rank(sin(omega U V^T)) > Rank(U V^T) for omega from some omega_0 on."""
    draw = generator()
    for rank in (1, 2, 3):
        for _ in range(10):
            u, v = ((2 * torch.rand(40, rank, generator=draw) - 1) / 8 for _ in range(2))
            product = u.double() @ v.double().T
            ranks = [Spectrum("", torch.sin(omega * product)).rank for omega in (1e3, 1e4, 1e5)]
            assert min(ranks) > rank


def test_proposition_1_over_random_matrices():
    """Rank(sin(omega A)) >= omega (A_min / ||sqrt|A|||_op)^2 while omega <= pi / (3 A_min)."""
    draw = generator()
    for _ in range(20):
        product = (
            torch.rand(30, 2, generator=draw).double() @ torch.randn(2, 30, generator=draw).double()
        )
        least = product.abs().min().item()
        omega = math.pi / (3 * least)
        bound = omega * (least / torch.linalg.matrix_norm(product.abs().sqrt(), 2).item()) ** 2
        assert Spectrum("", torch.sin(omega * product)).rank >= bound


def test_the_step_of_equation_26_fails_for_small_entries():
    """The proof uses ||sqrt|A|||_F <= ||A||_F, which is false where entries are below 1."""
    small = torch.full((4, 4), 0.01, dtype=torch.float64)
    assert small.abs().sqrt().norm() > small.norm()
