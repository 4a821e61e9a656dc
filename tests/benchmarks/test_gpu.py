"""The benchmark of the GPU goals: what it says without a GPU, and fits that share a process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(REPOSITORY))
from benchmarks import gpu  # noqa: E402 - the benchmarks are no part of the package


def test_without_a_gpu_every_goal_is_named_and_none_is_claimed():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "gpu_nerf_8x256_of_product not run, goal >= 40 %",
        "gpu_lego_400_60s not run, goal >= 30 dB",
        "gpu_sweep_together_against_in_turn not run, goal >= 1 x",
    ]
    assert "needs an NVIDIA GPU" in done.stderr


@pytest.mark.slow
def test_fits_that_are_trained_together_do_not_meet(tmp_path):
    solid = np.zeros((16, 16, 16), bool)
    solid[4:12, 4:12, 4:12] = True
    np.save(tmp_path / "cube.npy", solid)
    sweep, cpu = [("low-rank", 1), ("low-rank", 5)], torch.device("cpu")
    together = gpu.sweep_states(tmp_path / "cube.npy", sweep, cpu)
    gpu.train_together(together, 2)
    in_turn = gpu.sweep_states(tmp_path / "cube.npy", sweep, cpu)
    gpu.train_in_turn(in_turn, 2)
    for state, expected in zip(together, in_turn, strict=True):
        pairs = zip(state.field.parameters(), expected.field.parameters(), strict=True)
        assert state.step == 2 and all(torch.equal(a, b) for a, b in pairs)
