"""The examples of docs/ run and show what they say."""

import importlib.util
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("full", marks=pytest.mark.slow),
        pytest.param("low-rank k=1", marks=pytest.mark.slow),
        "sine-low-rank k=1",
    ],
)
def test_a_vision_transformer_learns_digits_with_every_backbone(kind):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    vit = load("vit")
    share, stored = vit.accuracy(vit.KINDS[kind], seed=0, epochs=12)
    assert share > 0.7  # Guessing tells one digit in ten.
    rank_one = 3 * (2 * (64 + 256) + 256 + 64)
    assert stored == (rank_one if "k=1" in kind else 3 * (2 * 64 * 256 + 256 + 64))


def test_the_adapter_example_learns_and_merges(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["adapter.py"])
    load("adapter").main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all("by 128 numbers" in line for line in lines)
    for line in lines:
        assert float(line.rpartition("output by ")[2].split()[0]) < 1e-4
