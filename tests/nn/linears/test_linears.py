"""The law of linears over the whole table, counts in closed form, and the published counts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS, Full, LowRank, PhaseSpread, SineLowRank, replace
from fieldlr.nn.linears.full import FullLinear

CONFIGS = [
    Full(),
    *(LowRank(k) for k in (1, 2, 5, 20)),
    *(SineLowRank(k, w) for k in (1, 2, 5, 20) for w in ("auto", 100.0)),
]
SIZES = [(256, 256), (63, 256), (256, 1), (3, 7)]


def test_every_kind_is_tried():
    assert {type(c) for c in CONFIGS} == set(LINEARS.values())


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_the_law(config, size, bias, generator):
    layer = config.build(*size, bias=bias, generator=generator).double()
    x = torch.randn(11, size[0], generator=generator, dtype=torch.float64)
    expected = functional.linear(x, layer.dense_weight(), layer.bias)
    assert layer.dense_weight().shape == (size[1], size[0])
    assert torch.allclose(layer(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_counts_in_closed_form(config, size, generator):
    layer = config.build(*size, generator=generator)
    n, m = size
    rank = getattr(config, "rank", None)
    weights = m * n if rank is None else min(rank * (m + n), m * n)
    assert config.num_weights(n, m) == weights
    assert layer.num_parameters == weights + m


@pytest.mark.parametrize("config", [c for c in CONFIGS if getattr(c, "rank", 1) <= 2], ids=str)
def test_gradients(config, generator):
    layer = config.build(7, 6, generator=generator).double()
    names = [name for name, _ in layer.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in layer.parameters())
    x = torch.randn(4, 7, generator=generator, dtype=torch.float64)

    def forward(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(forward, values)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_rank_of_the_product_and_of_its_sine(rank, generator):
    low = LowRank(rank).build(64, 64, generator=generator).double().dense_weight()
    sine = SineLowRank(rank, 200.0).build(64, 64, generator=generator).double().dense_weight()
    assert torch.linalg.matrix_rank(low) == rank
    assert torch.linalg.matrix_rank(sine) > rank


def test_small_omega_with_equal_gain_is_low_rank_to_second_order(generator):
    layer = SineLowRank(2, 1.0).build(16, 16, generator=generator).double()
    product = layer.U @ layer.V.T
    errors = []
    for omega in (1e-1, 1e-2):
        layer.omega = layer.gain = omega
        errors.append((layer.dense_weight() - product).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(100.0, rel=0.05)


@pytest.mark.parametrize("rank", [1, 2, 5, 20])
def test_low_rank_starts_at_the_variance_of_a_dense_layer(rank, generator):
    stds = [LowRank(rank).build(256, 256, generator=generator).dense_weight().std() for _ in "1234"]
    assert sum(stds).item() / 4 == pytest.approx(1 / math.sqrt(3 * 256), rel=0.1)


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_phase_spread_at_the_start_does_not_depend_on_the_rank(rank, generator):
    layers = [SineLowRank(rank, 1.0).build(256, 256, generator=generator) for _ in range(8)]
    spread = torch.stack([layer.U @ layer.V.T for layer in layers]).std().item()
    assert spread == pytest.approx(1 / (3 * math.sqrt(256)), rel=0.1)


@pytest.mark.parametrize("config", [c for c in CONFIGS if getattr(c, "rank", 9) >= 5], ids=str)
def test_output_variance_at_initialisation(config, generator):
    layer = config.build(256, 256, bias=False, generator=generator)
    x = torch.randn(512, 256, generator=generator)
    # A dense layer gives 1/3; a saturated sine has 3/2 of a dense layer's weight variance.
    assert 0.1 < layer(x).var().item() < 0.8


def test_a_factorised_layer_never_stores_more_than_the_dense_one():
    assert isinstance(SineLowRank(200).build(256, 256), FullLinear)
    assert isinstance(LowRank(1).build(256, 1), FullLinear)


@pytest.mark.parametrize("kind", [LowRank, SineLowRank])
@pytest.mark.parametrize("rank", [0, -3, 2.5])
def test_a_rank_that_is_none(kind, rank):
    with pytest.raises(FieldlrError, match="rank"):
        kind(rank)


@pytest.mark.parametrize(
    "omega",
    [0.0, -1.0, math.inf, math.nan, "fast", *(PhaseSpread(r) for r in (0.0, -2.0, math.inf))],
)
def test_an_omega_that_is_none(omega):
    with pytest.raises(FieldlrError, match="omega"):
        SineLowRank(5, omega)


@pytest.mark.parametrize("name", LINEARS)
def test_replaces_the_linears_of_any_model(name, generator):
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Sequential(nn.Linear(64, 64, bias=False)))
    kind = LINEARS[name]
    replace(model, kind() if name == "full" else kind(2), generator)
    assert not any(type(m) is nn.Linear for m in model.modules())
    assert model[2][0].bias is None
    model(torch.randn(3, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_the_automatic_omega_is_a_spread_of_the_phase(generator):
    linear = SineLowRank(5)
    assert linear == SineLowRank(5, PhaseSpread(4.0)) and SineLowRank(3).omega == PhaseSpread(4.667)
    for width in (64, 256):
        layer = linear.build(width, 2000, generator=generator)
        phase = layer.omega * layer.U @ layer.V.T
        assert phase.std().item() == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("rank", [1, 5, 20])
@pytest.mark.parametrize("name", ["U", "V"])
def test_a_step_of_either_factor_moves_the_phase_as_far(rank, name, generator):
    layer = SineLowRank(rank).build(256, 192, generator=generator)
    factors = {"U": layer.U.detach(), "V": layer.V.detach()}
    step = 0.1 * layer.roles()[name].scale * torch.randn_like(factors[name]).sign()
    moved = factors | {name: factors[name] + step}
    difference = moved["U"] @ moved["V"].T - factors["U"] @ factors["V"].T
    assert float(layer.omega * difference.std()) == pytest.approx(0.1, rel=0.1)
