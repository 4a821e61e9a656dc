"""Grid encodings through tiny-cuda-nn: the same features of the same table."""

import pytest
import torch

from fieldlr.nn import trial
from fieldlr.nn.encodings import DenseGrid, Frequency, HashGrid
from fieldlr.nn.execution import encode, grids

GRIDS = [HashGrid(), HashGrid(4, 2, 4, 300, 12), DenseGrid(), DenseGrid(1, 1, 2, 2)]


def cube(generator, count=2000):
    """Points of the cube, some on its faces and some outside."""
    points = torch.rand(count, 3, generator=generator) * 2.2 - 1.1
    points[:8] = torch.tensor([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return points


def results(read, encoding, points):
    y = read(points)
    weights = torch.linspace(-1.0, 1.0, y.numel(), device=y.device).view_as(y)
    return [y.detach(), *torch.autograd.grad((y * weights).sum(), [encoding.table])]


@pytest.mark.parametrize("config", GRIDS)
def test_levels_in_their_layout_are_the_encoding(config, emulation, generator):
    encoding, points = config.build(3, generator), cube(generator)
    assert grids.takes(encoding, points)
    found = results(lambda p: grids.read(encoding, p), encoding, points)
    trial.check_equal("the grid", found, results(encoding, encoding, points), trial.GRID_TOLERANCE)


@pytest.mark.gpu
@pytest.mark.parametrize("config", GRIDS)
def test_the_library_is_the_encoding(config, library, cuda, generator):
    encoding, points = config.build(3, generator).to(cuda), cube(generator).to(cuda)
    found = results(lambda p: encode(encoding, p), encoding, points)
    trial.check_equal("the grid", found, results(encoding, encoding, points), trial.GRID_TOLERANCE)


def test_on_a_cpu_an_encoding_is_called_as_it_is(generator):
    encoding, points = DenseGrid().build(3, generator), cube(generator)
    assert torch.equal(encode(encoding, points), encoding(points))


@pytest.mark.parametrize("config", [Frequency(4), HashGrid(num_channels=3)])
def test_unsupported_encodings_stay_with_torch(config, generator):
    assert not grids.takes(config.build(3, generator), cube(generator))
