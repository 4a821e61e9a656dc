"""The rate term: its slope is that of Laplace's law, and its price that of rounding."""

import copy

import pytest
import torch

from fieldlr.codec.bit_allocation import quantisation_steps
from fieldlr.codec.parameters import num_bits
from fieldlr.codec.quantisation import STEPS
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.linears import SineLowRank
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.rate_term import RateTerm, rate_multiplier
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import OccupancyTask
from tests.codec import fields


@pytest.fixture(scope="module")
def fitted():
    task = OccupancyTask(open_source(example("rook"), grid=32).content)
    config = FieldConfig(linear=SineLowRank(2), width=32, depth=1)
    state = start_fit(task, config, 0, torch.device("cpu"))
    for _ in fit(state, FitConfig(steps=100)):
        pass
    return task, state.field.eval()


def test_its_slope_is_that_of_a_laplace_distribution():
    field = fields.shape(width=40)
    numbers = max(field.parameters(), key=torch.numel)
    RateTerm(field, [1e-3] * len([*field.parameters()]), multiplier=0.5)().backward()
    far = numbers.detach().abs() > 1e-2
    expected = 0.5 * numbers.detach().sign() / numbers.detach().abs().mean()
    torch.testing.assert_close(numbers.grad[far], expected[far], rtol=1e-2, atol=0.0)
    # What would be rounded to 0 is pulled there by a slope that ends at 0.
    assert numbers.grad.abs().max() <= 1.001 * expected.abs().max()


def test_the_weight_of_the_rate_term_is_the_loss_by_quantisation(fitted):
    task, field = fitted
    steps = quantisation_steps(field, 6.0)
    sizes = [float(STEPS[step]) for step in steps.values()]
    price = rate_multiplier(task, field, sizes, seed=0)
    assert price > 0.0
    # Half the steps, a quarter of the loss.
    half = rate_multiplier(task, field, [0.5 * size for size in sizes], seed=0)
    assert half == pytest.approx(price / 4.0, rel=0.3)


def test_the_rate_term_does_not_change_the_field(fitted):
    task, field = fitted
    before = copy.deepcopy(field.state_dict())
    rate_multiplier(task, field, [1e-2] * len(before), seed=0)
    assert all(torch.equal(value, before[name]) for name, value in field.state_dict().items())


def test_parameters_under_the_rate_term_take_fewer_bits(fitted):
    _, field = fitted
    field = copy.deepcopy(field)
    steps = quantisation_steps(field, 5.0)
    before = num_bits(field, steps, {})
    term = RateTerm(field, [float(STEPS[s]) for s in steps.values()], 1.0)
    for _ in range(5):
        term().backward()
        with torch.no_grad():
            for parameter in field.parameters():
                parameter.sub_(0.02 * parameter.abs().mean() ** 2 * parameter.grad)
                parameter.grad = None
    assert num_bits(field, steps, {}) < before
