"""The library is used where it gives torch's results, and the reason is told where it is not."""

import pytest
import torch

from fieldlr.nn import trial
from fieldlr.nn.execution import tinycudann
from fieldlr.system.probing import failure


def test_without_a_gpu_the_reason_is_a_sentence():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert tinycudann.reason_against() == "no NVIDIA GPU that torch can use"


def test_the_probe_fails_with_a_reason_without_the_library():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert failure(tinycudann.PROBE)


def test_a_library_that_computes_the_same_passes(half_emulation):
    trial.compare("cpu")


def test_an_unshifted_grid_is_detected(emulation, monkeypatch):
    class Unshifted(emulation.Encoding):
        def forward(self, x):
            return super().forward(x - 0.5 / (self.nodes - 1))

    monkeypatch.setattr(emulation, "Encoding", Unshifted)
    with pytest.raises(RuntimeError, match=r"its HashGrid differs from torch's by"):
        trial.compare("cpu")


def test_matrices_in_another_order_are_detected(emulation, monkeypatch):
    class Transposed(emulation.Network):
        def matrices(self):
            first, *hidden, last = super().matrices()
            return [first, *(h.T for h in hidden), last]

    monkeypatch.setattr(emulation, "Network", Transposed)
    with pytest.raises(RuntimeError, match=r"its network \[20, 48, 48, 5\] differs"):
        trial.compare("cpu")


@pytest.mark.gpu
def test_the_real_library_computes_the_same(library):
    trial.compare()
