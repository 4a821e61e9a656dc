"""The study of vision transformers: counts, equal sizes, augmentation, resumption and records."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[2]))
from fieldlr.nn.execution import fast_format
from studies import cifar, resumable, vision_transformer
from studies.results import interval
from studies.vision_report import compared

# Table 2 of the paper: the share of the dense network's parameters, in per cent.
PUBLISHED = {1: 33.9, 5: 34.8, 10: 35.8, 30: 40.0, 60: 46.6}


def setting(kind="full", rank=0, **other):
    sizes = {"width": 64, "depth": 1, "seed": 0, "epochs": 3, "omega": "auto"}
    return {"kind": kind, "rank": rank, **sizes, **other}


def images(number=12):
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (number, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return cifar.Images(pixels, torch.arange(number))


@pytest.mark.parametrize("rank", PUBLISHED)
def test_parameters_are_those_of_the_paper(rank):
    with torch.device("meta"):
        found = {
            kind: vision_transformer.stored(
                vision_transformer.build(setting(kind, rank, width=384, depth=12))
            )
            for kind in ("full", "low-rank", "sine-low-rank")
        }
    assert found["low-rank"] == found["sine-low-rank"]
    assert found["full"] - found["low-rank"] == 12 * 2 * (384 * 1536 - rank * (384 + 1536))
    share = 100.0 * found["low-rank"] / found["full"]
    assert share == pytest.approx(PUBLISHED[rank], abs=0.3)  # it prints no more exact counts


@pytest.mark.parametrize("rank", PUBLISHED)
@pytest.mark.parametrize("depth", [1, 3])
def test_the_narrow_network_is_as_large_as_half_a_unit_allows(rank, depth):
    with torch.device("meta"):
        low, narrow = (
            vision_transformer.stored(
                vision_transformer.build(setting(kind, rank, width=192, depth=depth))
            )
            for kind in ("low-rank", "narrow")
        )
    assert abs(low - narrow) <= depth * (2 * 192 + 1) / 2


def test_augmented_images_are_shifted_by_at_most_four_pixels_and_flipped():
    some = images(5).pixels
    padded = torch.nn.functional.pad(some, (4, 4, 4, 4))
    shifts = [padded[:, :, y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
    shifts += [one.flip(-1) for one in shifts]
    found = set()
    for seed in range(8):
        pixels = cifar.augmented(some, torch.Generator().manual_seed(seed))
        for place in range(len(some)):
            (own,) = (i for i, one in enumerate(shifts) if torch.equal(one[place], pixels[place]))
            found.add(own)
    assert len(found) > 20 and min(found) < 81 <= max(found)


def training(tmp_path, kind, name):
    own = setting(kind, 2)
    model = vision_transformer.build(own)
    optimizer = vision_transformer.optimizer_of(model, 1e-3, 3.0)
    epoch = vision_transformer.epoch_of(model, optimizer, images(), own)
    return resumable.Training(model, optimizer, epoch, tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize("kind", ["full", "sine-low-rank"])
def test_a_stopped_training_ends_as_an_uninterrupted_one(tmp_path, kind):
    whole = training(tmp_path, kind, "whole")
    whole.run(3, "whole", resumable.Progress(3.0), 1.0)
    stopped = training(tmp_path, kind, "stopped")
    epoch, seen = stopped.epoch, []

    def interrupted(number):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(number)

    stopped.epoch = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.run(3, "stopped", resumable.Progress(3.0), 1.0)
    resumed = training(tmp_path, kind, "stopped")
    last = resumed.epoch
    resumed.epoch = lambda number: seen.append(number) or last(number)
    history = resumed.run(3, "resumed", resumable.Progress(3.0), 1.0)
    assert seen == [2]
    assert [one["loss"] for one in history] == [one["loss"] for one in whole.history]
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_phases_and_factors_have_rates_of_their_own():
    model = vision_transformer.build(setting("sine-low-rank", 1, omega=500.0))
    optimizer = vision_transformer.optimizer_of(model, 1e-3, 3.0)
    rates = {group["params"][0]: group["top"] for group in optimizer.param_groups}
    layer = model.blocks[0].linear1
    # A step of V moves a phase, omega times a product with an entry of U of size 1 / sqrt(3).
    moved = rates[layer.V] * 500.0 / 3.0**0.5
    assert moved == pytest.approx(1e-3 * 3.0 * vision_transformer.RADIANS)
    assert rates[layer.bias] == pytest.approx(3e-3) and rates[model.place] == 1e-3


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The arguments of a study of some seconds."""
    monkeypatch.setattr(vision_transformer, "RATES", (1e-3, 2e-3))
    monkeypatch.setattr(vision_transformer, "FACTORS", (3.0,))
    monkeypatch.setattr(vision_transformer, "OMEGAS", (100,))
    pixels = images(20).pixels.permute(0, 2, 3, 1).numpy()
    labels = np.arange(20, dtype=np.int16)
    np.savez(tmp_path / "images.npz", train_x=pixels, train_y=labels, test_x=pixels, test_y=labels)
    out = tmp_path / "results.json"
    words = f"--data {tmp_path}/images.npz --epochs 1 --depth 1 --width 64 --ranks 1 --seeds 2"
    return out, [*words.split(), "--out", str(out)]


def test_a_study_is_recorded_and_a_second_run_trains_nothing(small, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="needs matplotlib (fieldlr[study])")
    out, words = small
    vision_transformer.main(words)
    results = json.loads(out.read_text())
    searches = [one for one in results if one["search"]]
    found = [one for one in results if not one["search"]]
    assert len(searches) == 4 * 3 and len(found) == 2 * (1 + 3) + 1
    for kind in ("full", *vision_transformer.KINDS):
        own = [one for one in searches if one["kind"] == kind]
        best = max(own, key=lambda one: one["accuracy"])["accuracy"]
        for one in found:
            if one["kind"] == kind:
                chosen = [
                    s for s in own if (s["rate"], s["factor"]) == (one["rate"], one["factor"])
                ]
                assert [s["accuracy"] for s in chosen] == [best]
    assert [one["omega"] for one in found].count(100) == 1
    assert out.with_suffix(".svg").exists()
    assert list(out.with_suffix(".checkpoints").iterdir()) == []
    shown = capsys.readouterr().out
    monkeypatch.setattr(resumable.Training, "run", lambda *_: pytest.fail("it trains again"))
    vision_transformer.main(words)
    assert shown.endswith(capsys.readouterr().out)


def test_the_interval_of_paired_differences():
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert (mean, low, high) == pytest.approx((2.0, 2.0 - 2.4841, 2.0 + 2.4841), abs=1e-4)


def test_only_seeds_that_both_have_are_compared():
    results = [
        {"kind": kind, "rank": 5, "omega": omega, "seed": seed, "accuracy": accuracy}
        for kind, omega, seed, accuracy in [
            ("sine-low-rank", "auto", 0, 0.5),
            ("sine-low-rank", "auto", 1, 0.9),
            ("sine-low-rank", 100, 0, 0.1),
            ("low-rank", None, 0, 0.4),
        ]
    ]
    assert compared(results, 5, "low-rank") == "+10.00" and compared(results, 5, "narrow") == "-"


def test_progress_counts_what_an_earlier_session_did():
    progress = resumable.Progress(10.0)
    progress.skip(4.0)
    progress.add(2.0, 20.0)
    assert progress.left() == "40 s left"


def test_products_are_in_the_format_that_is_fast_here():
    with resumable.mixed_precision(torch.device("cpu")):
        product = torch.rand(4, 5) @ torch.rand(5, 3)
    assert product.dtype == fast_format("cpu")
