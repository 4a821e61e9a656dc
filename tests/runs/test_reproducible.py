"""The same seed and `--steps` give the same bytes, in processes of their own."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fieldlr.data.examples import example

SHAPE = ["--width", "32", "--steps", "40"]
CASES = {
    "full": ["--backbone", "full", *SHAPE],
    "low-rank": ["--backbone", "low-rank", "--rank", "2", *SHAPE],
    "sine-low-rank": ["--backbone", "sine-low-rank", "--rank", "2", *SHAPE],
    "Gauss-Newton": "--backbone sine-low-rank --rank 1 --width 32 --steps 206".split(),
    "photos": ["--downscale", "8", "--steps", "12"],
}


def bytes_of(source, folder, words, threads):
    """The .flr of a fit by so many threads."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    for verb in (
        ["fit", source, "--out", folder / "run", *words, "--quiet"],
        ["compress", folder / "run", "--out", folder / "x.flr", "--quiet"],
    ):
        words = [sys.executable, "-m", "fieldlr", *map(str, verb)]
        subprocess.run(words, check=True, env=environment, timeout=120)
    return (folder / "x.flr").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_same_fit_gives_the_same_file(case, tmp_path):
    source = example("windmill")
    if case != "photos":
        source = tmp_path / "ball.npy"
        axes = np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij")
        np.save(source, sum(a * a for a in axes) < 0.5)
    files = [bytes_of(source, tmp_path / name, CASES[case], 1) for name in ("one", "other")]
    assert files[0] == files[1]
