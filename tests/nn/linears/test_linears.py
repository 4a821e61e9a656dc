"""The law of linears over the whole table, counts in closed form, and the published counts."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import (
    LINEARS,
    Adapter,
    Blast,
    Full,
    Hadamard,
    KernelLowRank,
    Kronecker,
    LowRank,
    Monarch,
    PhaseSpread,
    SeededFrame,
    SeededLowRank,
    SeededSine,
    SineLowRank,
    SparseLowRank,
    replace,
)
from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.structured import Structured

STRUCTURED = [kind for kind in LINEARS.values() if issubclass(kind, Structured)]
CONFIGS = [
    Full(),
    *(LowRank(k) for k in (1, 2, 5, 20)),
    *(SineLowRank(k, w) for k in (1, 2, 5, 20) for w in ("auto", 100.0)),
    *(SeededSine(k) for k in (1, 5)),
    *(kind(rank=k) for kind in STRUCTURED for k in ((200, 900) if kind is SeededFrame else (1, 5))),
]
SMALL = [c for c in CONFIGS if getattr(c, "rank", 1) in (1, 2, 200)]
SIZES = [(256, 256), (63, 256), (256, 1), (3, 7)]


def test_every_kind_is_tested():
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
    weights = m * n if rank is None else min(stored(config, m, n), m * n)
    assert config.num_weights(n, m) == weights
    assert layer.num_parameters == weights + m


def stored(config, m, n):
    """The published counts of a backbone with a rank."""
    k, b = config.rank, getattr(config, "blocks", 1)
    if config.name == "kronecker":  # 16 x 16 of 256, 8 x 8 of 63
        (m1, m2), (n1, n2) = ((math.ceil(e**0.5), round(e**0.5)) for e in (m, n))
        return k * (m1 * n1 + m2 * n2)
    if config.name == "blast":
        return k * (m + n) + k * min(b, m) * min(b, n)
    if config.name == "sparse-low-rank":
        return k * (m + n) + max(1, int(config.density * m * n))
    if config.name == "seeded-frame":
        return k + m
    if config.name.startswith("seeded"):
        return k * m
    times = {"hadamard": 2, "kernel-low-rank": 2, "monarch": b}
    return times.get(config.name, 1) * k * (m + n)


@pytest.mark.parametrize("config", SMALL, ids=str)
def test_gradients(config, generator):
    layer = config.build(19, 17, generator=generator).double()
    names = [name for name, _ in layer.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in layer.parameters())
    x = torch.randn(2, 19, generator=generator, dtype=torch.float64)

    def forward(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(forward, values)


@pytest.mark.parametrize("config", [c for c in SMALL if c.has_jacobian], ids=str)
def test_the_jacobian_is_that_of_autograd(config, generator):
    layer = config.build(19, 17, generator=generator).double()
    assert layer.is_dense == config.is_dense
    x = torch.randn(5, 19, generator=generator, dtype=torch.float64)
    deltas = torch.randn(5, 17, generator=generator, dtype=torch.float64)
    passes, below = [], x
    factors = layer.factors()
    for place, factor in reversed(list(enumerate(factors))):
        above = deltas
        for later in factors[:place]:
            above = above @ later
        passes.append((below, above))
        below = below @ factor.T
    for name, found in layer.jacobian(passes).items():
        rows = zip(layer(x), deltas, strict=True)
        by_name = [
            torch.autograd.grad(y @ d, layer.get_parameter(name), retain_graph=True)[0].flatten()
            for y, d in rows
        ]
        assert torch.allclose(found, torch.stack(by_name)), name


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


@pytest.mark.parametrize(
    "config", [c for c in CONFIGS if not isinstance(c, Full | SineLowRank)], ids=str
)
def test_starts_at_the_variance_of_a_dense_layer(config, generator):
    layers = [config.build(256, 256, generator=generator) for _ in range(8)]
    assert not layers[0].is_dense
    square = torch.stack([layer.dense_weight().detach() for layer in layers]).square().mean()
    assert math.sqrt(square) == pytest.approx(1 / math.sqrt(3 * 256), rel=0.12)
    other = config.build(256, 256, generator=generator, std=0.5).dense_weight()
    assert other.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.35)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_first_steps_are_equal_relative_to_the_factors(kind, generator):
    """So that all factors of W together change it by about as much in every structure."""
    rank = 900 if kind is SeededFrame else 5
    layer = kind(rank=rank).build(256, 256, generator=generator)
    for name, tensor in layer.named_parameters():
        if name != "bias":
            step = 0.02 * layer.roles()[name].scale
            part = step / tensor.square().mean().sqrt().item()
            assert layer.num_factors * part == pytest.approx(0.48, rel=0.1)


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


@pytest.mark.parametrize("config", [c for c in SMALL if not c.is_dense], ids=str)
def test_an_adapter_begins_at_zero_or_is_refused(config, generator):
    base = nn.Linear(24, 20)
    if config.build(24, 20).start_at_zero is None:
        with pytest.raises(FieldlrError, match="cannot start at zero"):
            Adapter(base, config, generator)
    else:
        assert torch.equal(Adapter(base, config, generator).dense_weight(), base.weight)


def full_ranks(config, generator):
    """(rank, stable rank) of W at 256 x 256."""
    weight = config.build(256, 256, generator=generator).double().dense_weight()
    values = torch.linalg.svdvals(weight)
    return int((values > 1e-9 * values[0]).sum()), (values.square().sum() / values[0] ** 2).item()


def test_ranks_of_the_structures(generator):
    """What each structure makes of about 2,048 weights."""
    assert full_ranks(LowRank(4), generator)[0] == 4
    assert full_ranks(Hadamard(2), generator)[0] == 4
    assert full_ranks(Monarch(1, 4), generator)[0] == 16
    assert full_ranks(Blast(4, 4), generator)[0] == 16
    assert full_ranks(Kronecker(4), generator)[0] == 256
    rank, stable = full_ranks(KernelLowRank(2), generator)
    assert rank > 200 and 2.0 < stable < 9.0
    assert full_ranks(SeededLowRank(8), generator)[0] == 8
    assert full_ranks(SparseLowRank(2, 0.03), generator)[0] == 256
    rank, stable = full_ranks(SeededSine(8), generator)
    assert rank == 256 and stable > 30.0


def with_tensors(layer, **tensors):
    """W of a layer with these tensors."""
    return torch.func.functional_call(Weight(layer), {f"layer.{k}": v for k, v in tensors.items()})


class Weight(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self):
        return self.layer.dense_weight()


def test_limits_in_which_one_structure_is_another(generator):
    low = LowRank(3).build(20, 30, generator=generator)
    product = low.dense_weight()
    one_block = with_tensors(Monarch(3, 1).build(20, 30), U=low.U, V=low.V)
    assert torch.allclose(one_block, product)
    ones = torch.ones(1, 1, 3)
    assert torch.allclose(
        with_tensors(Blast(3, 1).build(20, 30), U=low.U, S=ones, V=low.V), product
    )
    even = {"U2": torch.ones(30, 3) / 3.0, "V2": torch.ones(20, 3)}
    hadamard = Hadamard(3).build(20, 30)
    assert torch.allclose(with_tensors(hadamard, U1=low.U, V1=low.V, **even), product)
    kronecker = Kronecker(1).build(20, 20)
    assert kronecker.A.shape == (1, 5, 5) and kronecker.B.shape == (1, 4, 4)
    a, b = torch.randn(1, 5, 5, generator=generator), torch.randn(1, 4, 4, generator=generator)
    assert torch.allclose(with_tensors(kronecker, A=a, B=b), torch.kron(a[0], b[0]))


def test_sparse_low_rank_between_low_rank_and_full(generator):
    low = LowRank(3).build(20, 30, generator=generator)
    none = SparseLowRank(3, 1e-4).build(20, 30)
    assert none.S.shape == (1,)
    same = with_tensors(none, U=low.U, V=low.V, S=torch.zeros(1))
    assert torch.allclose(same, low.dense_weight())
    # A rank beside every weight would store more than the dense layer.
    assert isinstance(SparseLowRank(1, 1.0).build(20, 30), FullLinear)
    half = SparseLowRank(1, 0.5).build(20, 30)
    values = torch.randn(300, generator=generator)
    zero = {"U": torch.zeros(30, 1), "V": torch.zeros(20, 1)}
    weight = with_tensors(half, **zero, S=values)
    assert torch.equal(weight[weight != 0.0], values)


def test_seeded_factors_are_the_same_in_every_layer():
    first, second = SeededLowRank(4).build(20, 30), SeededLowRank(4).build(20, 10)
    assert torch.equal(first.V, second.V) and "V" not in first.state_dict()
    sine = SeededSine(4, 10.0).build(20, 30)
    assert torch.allclose(sine.V, first.V / 60**0.5)
    product = sine.U @ sine.V.T
    assert torch.allclose(sine.dense_weight(), torch.sin(10.0 * product) / sine.gain, atol=1e-6)


def test_monarch_is_two_block_diagonal_matrices_and_permutations(generator):
    layer = Monarch(2, 3).build(12, 15, generator=generator).double()
    first = [layer.V[4 * q : 4 * q + 4].T for q in range(3)]  # (p, s) x inputs of block q
    second = [layer.U[p::3] for p in range(3)]  # outputs of block p x (q, s)
    between = (
        torch.arange(18).view(3, 3, 2).transpose(0, 1).flatten()
    )  # from (q, p, s) to (p, q, s)
    dealt = torch.arange(15).view(3, 5).T.flatten()  # from (p, i) to (i, p)
    matrix = torch.block_diag(*second) @ torch.block_diag(*first)[between]
    assert torch.allclose(layer.dense_weight(), matrix[dealt])


def test_block_lora_is_low_rank(generator):
    """Block-LoRA: B_1 .. B_b beside one shared A of rank r / b is the sum of the B_i times A."""
    rank, blocks = 16, 8
    shared = torch.randn(rank // blocks, 64, generator=generator, dtype=torch.float64)
    parts = torch.randn(blocks, 48, rank // blocks, generator=generator, dtype=torch.float64)
    change = torch.cat([*parts], 1) @ torch.cat([shared] * blocks)
    assert torch.linalg.matrix_rank(change) == rank // blocks
    low = LowRank(rank // blocks).build(64, 48).double()
    same = with_tensors(low, U=parts.sum(0), V=shared.T)
    assert torch.allclose(same, change)


def test_flora_of_one_matrix_is_low_rank(generator):
    """FLoRA: A G B^T with A (m, r1), the core G (r1, r2) and B (n, r2) has the rank of G."""
    a, b, core = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((48, 4), (64, 4), (4, 4))
    )
    low = LowRank(4).build(64, 48).double()
    assert torch.allclose(with_tensors(low, U=a @ core, V=b), a @ core @ b.T)
    assert sum(t.numel() for t in (a, b, core)) > low.U.numel() + low.V.numel()


def test_lost_without_its_activation_is_low_rank(generator):
    """LOST: U V^T and whole columns of W. Each column is one more rank, whose V is one-hot."""
    u, v, columns = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((48, 3), (64, 3), (48, 2))
    )
    places = torch.tensor([7, 40])
    weight = u @ v.T
    weight[:, places] += columns
    hot = functional.one_hot(places, 64).double().T
    low = LowRank(5).build(64, 48).double()
    same = with_tensors(low, U=torch.cat([u, columns], 1), V=torch.cat([v, hot], 1))
    assert torch.allclose(same, weight)


def test_a_factorised_layer_never_stores_more_than_the_dense_one():
    assert isinstance(SineLowRank(200).build(256, 256), FullLinear)
    assert isinstance(LowRank(1).build(256, 1), FullLinear)


@pytest.mark.parametrize("kind", [LowRank, SineLowRank, *STRUCTURED])
@pytest.mark.parametrize("rank", [0, -3, 2.5])
def test_an_invalid_rank_is_refused(kind, rank):
    with pytest.raises(FieldlrError, match="rank"):
        kind(rank)


@pytest.mark.parametrize("kind", [Monarch, Blast])
@pytest.mark.parametrize("blocks", [0, 17, 1.5, True])
def test_an_invalid_number_of_blocks_is_refused(kind, blocks):
    with pytest.raises(FieldlrError, match="`blocks` is a whole number from 1 to 16"):
        kind(1, blocks)


@pytest.mark.parametrize(
    "omega",
    [0.0, -1.0, math.inf, math.nan, "fast", *(PhaseSpread(r) for r in (0.0, -2.0, math.inf))],
)
def test_an_invalid_omega_is_refused(omega):
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


@pytest.mark.parametrize("kind", [SineLowRank, SeededSine])
def test_the_phase_keeps_its_digits_in_mixed_precision(kind, generator):
    layer = kind(2).build(64, 48, generator=generator)
    expected = layer.dense_weight()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.dense_weight(), expected)
        assert layer(torch.randn(3, 64)).dtype == torch.bfloat16
