"""Products of lines and planes by compiled loops have the values and gradients of torch."""

import pytest
import torch

from fieldlr.nn.encodings import Cp, Vm
from fieldlr.nn.execution import encode
from tests.nn.execution.test_grid_kernels import points

pytest.importorskip("numba", reason="needs pip install numba")
from fieldlr.nn.execution import separable_kernels

# Every number of channels is compiled: the tests of the codec use 2 and 3 too.
CONFIGS = [Cp(1, 32, 12, 12), Cp(2, 3, 2, 9), Vm(2, 2, 5, 9), Vm(1, 3, 2, 2)]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_values_and_gradients_are_those_of_torch(config, generator):
    encoding, unit = config.build(3, generator), points(generator)
    grad = torch.randn(len(unit), encoding.out_features, generator=generator)
    results = []
    for way in (encoding, lambda unit: separable_kernels.read(encoding, unit)):
        encoding.zero_grad()
        values = way(unit)
        values.backward(grad)
        results.append((values.detach(), encoding.table.grad.clone()))
    for expected, found in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_number_of_threads_changes_no_bit(generator):
    encoding, unit = CONFIGS[2].build(3, generator), points(generator, 20_000)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            encoding.zero_grad()
            values = encode(encoding, unit)
            values.square().sum().backward()
            results.append((values.detach(), encoding.table.grad.clone()))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_points_that_want_gradients_are_read_by_torch(generator):
    encoding = CONFIGS[0].build(3, generator)
    unit = points(generator, 10).requires_grad_()
    encode(encoding, unit).sum().backward()
    assert unit.grad.abs().sum() > 0.0


def test_non_finite_points_are_read_at_a_node(generator):
    encoding = CONFIGS[2].build(3, generator)
    unit = torch.tensor([[float("nan")] * 3, [float("inf"), -float("inf"), 0.0]])
    assert encode(encoding, unit)[1].isfinite().all()
