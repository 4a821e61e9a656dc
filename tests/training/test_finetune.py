"""Fine-tuning for the file: what is trained is what is stored, and it is better than rounding."""

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.codec.parameters import num_bits
from fieldlr.codec.quantisation import STEPS
from fieldlr.data import open_source
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.linears import Full, SineLowRank
from fieldlr.training.finetune import Finetuning, quantise_in_order
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import start_fit
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask

BITS = 4.0


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    x, y, z = np.meshgrid(*[np.linspace(-1.0, 1.0, 48)] * 3, indexing="ij")
    path = tmp_path_factory.mktemp("ring") / "ring.npy"
    np.save(path, (np.hypot(x, y) - 0.6) ** 2 + z**2 < 0.07)
    return OccupancyTask(open_source(path).content, OccupancySettings(points_per_step=8192))


@pytest.fixture(
    scope="module",
    params=[Full(), SineLowRank(3)],  # Adam and Muon tune the one, Gauss-Newton the other.
    ids=lambda kind: type(kind).__name__,
)
def field(request, task):
    width = 16 if isinstance(request.param, Full) else 32
    config = FieldConfig(linear=request.param, width=width, depth=2)
    state = start_fit(task, config, 0, torch.device("cpu"))
    # Four bits are too few for a sine-low-rank field that is fitted to the last voxel.
    steps = 120 if isinstance(request.param, SineLowRank) else 180
    for _ in fit(state, FitConfig(steps=steps)):
        pass
    return state.field.eval()


def tuned(field, task, steps):
    tuning = Finetuning(field, task, FitConfig(steps=steps), BITS)
    for _ in tuning.reports():
        pass
    return tuning


@pytest.fixture(scope="module")
def ending(field, task):
    """What fine-tuning makes of a field: another field, and its steps."""
    before = {name: value.clone() for name, value in field.state_dict().items()}
    # Gauss-Newton suits one of the fields, and few of its steps have paid.
    steps = 40 if isinstance(field.config.linear, SineLowRank) else 90
    ending = tuned(field, task, steps).finish()
    # The field that was given stays as it was.
    assert all(torch.equal(value, before[name]) for name, value in field.state_dict().items())
    return ending


def test_a_finetuned_file_is_better_than_a_quantised_one(field, ending, task):
    rounded = task.iou(codec.decode(codec.encode(field, BITS)))
    tuned_field, steps = ending
    data = codec.encode(tuned_field, steps=steps)
    assert task.iou(codec.decode(data)) > rounded


def test_the_trained_parameters_are_the_stored_ones(ending):
    tuned_field, steps = ending
    for name, parameter in tuned_field.named_parameters():
        whole = parameter.detach().double() / float(STEPS[steps[name]])
        assert torch.equal(whole, whole.round())
    decoded = codec.decode(codec.encode(tuned_field, steps=steps))
    points = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    # The file has the units in another order, so sums round otherwise.
    difference = decoded.level(points) - tuned_field.level(points)
    assert difference.abs().max() < 0.05


def test_the_same_steps_give_the_same_bytes(field, task):
    ends = [tuned(field, task, 4).finish() for _ in range(2)]
    assert len({codec.encode(field, steps=steps) for field, steps in ends}) == 1


def test_after_too_little_finetuning_it_is_quantised_directly(field, task):
    rounded = codec.encode(field, BITS)
    tuned_field = tuned(field, task, 1).finish()[0]
    assert task.quality(tuned_field) >= task.quality(codec.decode(rounded)) - 1e-3


def test_progressive_quantisation_loses_less_than_direct(generator):
    root = torch.randn(40, 20, generator=generator)
    matrix = root @ root.T
    values = 3.0 * torch.randn(40, generator=generator)

    def loss(whole):
        return float((whole - values) @ matrix @ (whole - values))

    whole = quantise_in_order(values, matrix, 40)
    assert torch.equal(whole, whole.round())
    assert loss(whole) < 0.5 * loss(values.round())
    # Where nothing can make up for anything, it is rounding.
    assert torch.equal(quantise_in_order(values, matrix.diagonal().diag(), 40), values.round())
    # The rest moves, and is not rounded.
    half = quantise_in_order(values, matrix, 20)
    assert torch.equal(half[:20], half[:20].round()) and not torch.equal(half[20:], values[20:])
    assert loss(half) < loss(torch.cat([values[:20].round(), values[20:]]))


def test_the_bits_that_were_asked_for_are_used(field, ending):
    """The rate term makes numbers cheaper, and what that saves goes into finer steps."""
    tuned_field, steps = ending
    count = sum(int((parameter != 0).sum()) for parameter in field.parameters())
    assert 0.85 * BITS < num_bits(tuned_field, steps, {}) / count < 1.1 * BITS
