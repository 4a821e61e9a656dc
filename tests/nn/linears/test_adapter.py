"""Adapters: they begin as the layer they adapt, and merge into and out of it exactly."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import Adapter, LowRank, SineLowRank, adapt

KINDS = [LowRank(3), SineLowRank(3)]


@pytest.fixture(params=KINDS, ids=lambda kind: type(kind).__name__)
def adapter(request):
    torch.manual_seed(0)
    return Adapter(nn.Linear(24, 16), request.param)


def trained(adapter):
    optimizer = torch.optim.SGD([p for p in adapter.parameters() if p.requires_grad], 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (adapter(torch.randn(8, 24)) - 1.0).square().mean().backward()
        optimizer.step()
    return adapter


def test_it_begins_as_the_layer_it_adapts(adapter):
    x = torch.randn(5, 24)
    assert torch.equal(adapter(x), adapter.base(x))


def test_the_change_alone_learns(adapter):
    before = adapter.base.weight.clone(), adapter.base.bias.clone()
    trained(adapter)
    assert torch.equal(before[0], adapter.base.weight)
    assert torch.equal(before[1], adapter.base.bias)
    assert adapter.change.dense_weight().abs().max() > 0
    learning = [p for p in adapter.parameters() if p.requires_grad]
    assert sum(p.numel() for p in learning) == 3 * (24 + 16)


def test_the_law_of_linears(adapter):
    x = torch.randn(5, 24)
    expected = functional.linear(x, trained(adapter).dense_weight(), adapter.base.bias)
    assert torch.allclose(adapter(x), expected, atol=1e-6)


def test_into_and_out_of_the_frozen_layer_exactly(adapter):
    weight = trained(adapter).base.weight.clone()
    x = torch.randn(5, 24)
    before = adapter(x)
    merged = adapter.merge()
    assert type(merged) is nn.Linear and torch.equal(merged(x), adapter(x))
    assert torch.allclose(merged(x), before, atol=1e-6)
    assert not torch.equal(merged.weight, weight)
    adapter.merge()  # A second time is nothing.
    adapter.unmerge()
    assert torch.equal(adapter.base.weight, weight)
    assert torch.equal(adapter(x), before)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_of_a_model_is_adapted(kind):
    model = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Sequential(nn.Linear(20, 12)))
    x = torch.randn(4, 12)
    before = model(x)
    assert torch.equal(adapt(model, kind)(x), before)
    learning = [p.numel() for p in model.parameters() if p.requires_grad]
    assert sum(learning) == 2 * 3 * 32


def test_a_change_as_large_as_the_layer_is_refused():
    with pytest.raises(FieldlrError, match="of a lower rank"):
        Adapter(nn.Linear(8, 8), LowRank(4))


def test_a_model_that_cannot_be_adapted_stays_as_it_was():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 4))
    with pytest.raises(FieldlrError):
        adapt(model, LowRank(8))
    assert type(model[0]) is nn.Linear and type(model[1]) is nn.Linear


def test_one_layer_and_a_second_time():
    adapter = adapt(nn.Linear(12, 20), LowRank(3))
    assert isinstance(adapter, Adapter)
    model = adapt(nn.Sequential(nn.Linear(12, 20)), LowRank(3))
    assert adapt(model, LowRank(3))[0].change.U.requires_grad


def test_merged_weights_are_not_loaded_as_unmerged_ones(adapter):
    trained(adapter).merge()
    fresh = Adapter(nn.Linear(24, 16), LowRank(3))
    with pytest.raises(RuntimeError, match="original"):
        fresh.load_state_dict(adapter.state_dict())
