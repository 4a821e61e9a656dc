"""Grids read by compiled loops have the values and gradients that torch finds, on any threads."""

import pytest
import torch

from fieldlr.nn.encodings import DenseGrid, HashGrid
from fieldlr.nn.execution import encode

pytest.importorskip("numba", reason="needs pip install numba")
from fieldlr.nn.execution import grid_kernels

CONFIGS = [
    DenseGrid(num_levels=3, num_channels=4, coarsest=4, finest=24),
    DenseGrid(num_levels=1, num_channels=1, coarsest=2, finest=2),
    HashGrid(num_levels=4, num_channels=2, coarsest=4, finest=64, log2_table_size=10),
]


def points(generator, count=5000):
    """Points of the cube, its corners and middle, and some outside."""
    special = torch.tensor([[-1.0] * 3, [1.0] * 3, [0.0] * 3, [1.5, -2.0, 0.3]])
    return torch.cat([special, 2.0 * torch.rand(count, 3, generator=generator) - 1.0])


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_values_and_gradients_are_those_of_torch(config, generator):
    encoding, unit = config.build(3, generator), points(generator)
    grad = torch.randn(len(unit), encoding.out_features, generator=generator)
    # At a face of the cube a gradient may be either side's.
    inside = (unit.abs() != 1.0).float()
    results = []
    for way in (encoding, lambda unit: grid_kernels.read(encoding, unit)):
        encoding.zero_grad()
        moving = unit.clone().requires_grad_()
        values = way(moving)
        values.backward(grad)
        results.append((values.detach(), encoding.table.grad.clone(), inside * moving.grad))
    for expected, found in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_number_of_threads_changes_no_bit(generator):
    encoding, unit = CONFIGS[2].build(3, generator), points(generator, 40_000)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            encoding.zero_grad()
            values = grid_kernels.read(encoding, unit)
            values.square().sum().backward()
            results.append((values.detach(), encoding.table.grad.clone()))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_non_finite_points_are_read_at_a_face(generator):
    encoding = CONFIGS[2].build(3, generator)
    unit = torch.tensor([[float("nan")] * 3, [float("inf"), -float("inf"), 0.0]])
    values = grid_kernels.read(encoding, unit)
    assert values[1].isfinite().all()


def test_points_that_want_gradients_are_read_by_torch(generator):
    encoding = CONFIGS[0].build(3, generator)
    unit = points(generator, 10).requires_grad_()
    encode(encoding, unit).sum().backward()
    assert unit.grad.abs().sum() > 0.0
