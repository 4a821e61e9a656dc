"""Studies on a small solid: the plan, the fits, stopping and going on."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve_file import read_curve
from fieldlr.study.study import Study
from fieldlr.study.sweep import Sweep, narrow_width, plan
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import make_task

BASE = FitOptions.of(steps=20, preset="quick")
SMALL = FitOptions.of(steps=20, preset="quick", width=24, depth=1)


@pytest.fixture
def ball(tmp_path):
    axis = torch.linspace(-1.2, 1.2, 24)
    solid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).norm(dim=-1) < 1.0
    path = tmp_path / "ball.npy"
    np.save(path, solid.numpy())
    return path


@pytest.fixture
def task(ball):
    return make_task(open_source(ball), BASE)


@pytest.mark.parametrize(("rank", "width"), [(1, 36), (2, 42), (5, 57), (20, 104)])
def test_narrow_dense_networks_at_the_ranks_of_the_paper(task, rank, width):
    assert narrow_width("volume", FitOptions.of(backbone="low-rank", rank=rank)) == width


def test_a_plan_takes_one_seed_after_the_other(task):
    sweep = Sweep(backbones=("full", "sine-low-rank"), ranks=(1, 5), seeds=2)
    entries = plan("volume", BASE, sweep)
    assert [(e.curve, e.point, e.seed) for e in entries[:5]] == [
        ("full", "full", 0),
        ("sine-low-rank", "k=1", 0),
        ("sine-low-rank", "k=5", 0),
        ("narrow full", "width=36", 0),
        ("narrow full", "width=57", 0),
    ]
    assert len(entries) == 10 and entries[5].seed == 1
    assert len({e.name for e in entries}) == 10


def test_omega_is_of_the_sine_alone(task):
    base = FitOptions.of(steps=20, omega=100.0)
    for entry in plan("volume", base, Sweep(ranks=(1,))):
        sine = entry.curve == "sine-low-rank"
        assert entry.options.network.linear.get("omega") == (100.0 if sine else None)


@pytest.mark.parametrize(
    "options",
    [
        {"backbones": ()},
        {"backbones": ("full", "full")},
        {"backbones": ("full", "low-rnak")},
        {"ranks": ()},
        {"ranks": (0,)},
        {"ranks": (1, 1)},
        {"seeds": 0},
        {"bits": (0.1,)},
        {"bits": (6.0, 6.0)},
        {"finetune": 0.0},
    ],
    ids=str,
)
def test_a_sweep_without_sense_is_refused(options):
    (name,) = options
    with pytest.raises(FieldlrError, match=f"`{name}` is"):
        Sweep(**options)


def alone(*ranks, **more):
    """low-rank and nothing beside it."""
    return Sweep(backbones=("low-rank",), ranks=ranks, narrow=False, **more)


def test_a_study_from_beginning_to_end(ball, tmp_path):
    out = tmp_path / "study"
    sweep = Sweep(backbones=("low-rank", "sine-low-rank"), ranks=(1, 2), seeds=2, narrow=False)
    words = ball, out, SMALL, sweep
    first = Study(*words)
    for report in first.reports():
        if report.index == 2:
            first.checkpoint()
            break
    assert len(first.done) == 2
    second = Study(*words)
    assert len(second.done) == 2
    indices = [report.index for report in second.reports()]
    assert min(indices) == 2 and max(indices) == 7
    curve = read_curve(out / "sine-low-rank.json")
    assert [(p.point, p.seed) for p in curve.points] == [
        ("k=1", 0),
        ("k=1", 1),
        ("k=2", 0),
        ("k=2", 1),
    ]
    for point in curve.points:  # Bytes are those of a file, quality that of what it decodes to.
        data = (out / point.file).read_bytes()
        field = codec.decode(data)
        assert point.num_bytes == len(data) < 2 * field.num_parameters
        assert point.figure == second.task.evaluate(field)["iou"]
    table = json.loads((out / "bd.json").read_text())
    assert len(table) == 2 and all("refused" in r or "bd_rate_percent" in r for r in table)
    assert (out / "rd.svg").read_text().startswith("<?xml")
    assert "low-rank" in (out / "rd.html").read_text()
    assert list(Study(*words).reports()) == []


def test_several_bits_are_several_files_of_one_fit(ball, tmp_path):
    out = tmp_path / "study"
    for _ in Study(ball, out, SMALL, alone(1, 2, bits=(8.0,))).reports():
        pass
    assert {p.point for p in read_curve(out / "low-rank.json").points} == {"k=1", "k=2"}
    study = Study(ball, out, SMALL, alone(1, 2, bits=(4.0, 8.0)))
    doings = [report.doing for report in study.reports()]
    assert "4bits.flr" in doings and not {"training", "8bits.flr"} & set(doings)
    whole, four, eight = study.curves()
    assert [c.name for c in study.curves()] == ["low-rank", "low-rank 4 bits", "low-rank 8 bits"]
    assert {p.point for p in whole.points} == {
        "k=1, 4 bits",
        "k=1, 8 bits",
        "k=2, 4 bits",
        "k=2, 8 bits",
    }
    assert sorted(four.points + eight.points, key=lambda p: p.file) == sorted(
        (dataclasses.replace(p, point=p.point.partition(",")[0]) for p in whole.points),
        key=lambda p: p.file,
    )
    assert four.points[0].num_bytes < eight.points[0].num_bytes
    assert read_curve(out / "low-rank-4-bits.json") == four
    assert "low-rank 4 bits" in (out / "rd.html").read_text()


def test_a_file_may_be_trained_for(ball, tmp_path):
    out = tmp_path / "study"
    sweep = alone(1, bits=(4.0,))
    list(Study(ball, out, SMALL, sweep).reports())
    tuned = dataclasses.replace(sweep, finetune=10)
    study = Study(ball, out, SMALL, tuned)
    doings = {report.doing for report in study.reports()}
    assert doings == {"4bits-finetuned-10steps.flr", "measured"}
    (point,) = study.curves()[0].points
    assert point.file == "fits/low-rank-k1-seed-0/4bits-finetuned-10steps.flr"
    plain = out / "fits" / "low-rank-k1-seed-0" / "4bits.flr"
    assert plain.exists() and plain.read_bytes() != (out / point.file).read_bytes()
    assert list(Study(ball, out, SMALL, tuned).reports()) == []


def test_earlier_points_stay_on_the_curves(ball, tmp_path):
    out = tmp_path / "study"
    list(Study(ball, out, SMALL, alone(1, 2, bits=(4.0, 8.0))).reports())
    less = Study(ball, out, SMALL, alone(1, bits=(4.0,)))
    assert list(less.reports()) == [] and len(less.entries) == 1
    more = Study(ball, out, SMALL, alone(3, bits=(8.0,)))
    assert {report.title for report in more.reports()} == {"low-rank k=3 seed 0"}
    for study in (less, more, Study(ball, out, SMALL, alone(2, bits=(8.0,)))):
        study.save()
    curve = read_curve(out / "low-rank.json")
    points = {f"k={k}, {bits} bits" for k in (1, 2) for bits in (4, 8)}
    assert {point.point for point in curve.points} == points | {"k=3, 8 bits"}
    (out / "fits" / "sweeps.json").write_text('{"base": 1}')
    with pytest.raises(FieldlrError, match=r"sweeps\.json cannot be read .* Remove it"):
        Study(ball, out, SMALL, alone(1, bits=(4.0,)))


def test_an_incomplete_file_is_made_again(ball, tmp_path):
    words = ball, tmp_path / "s", SMALL, alone(1)
    list(Study(*words).reports())
    file = tmp_path / "s" / "fits" / "low-rank-k1-seed-0" / "auto.flr"
    data = file.read_bytes()
    for damage in (lambda: file.write_bytes(data[:-1]), file.with_suffix(".json").unlink):
        damage()
        again = Study(*words)
        assert again.done == [] and {r.doing for r in again.reports()} == {"auto.flr", "measured"}
        assert file.read_bytes() == data


def test_the_classics_are_on_the_plot(ball, tmp_path):
    words = ball, tmp_path / "s", SMALL, alone(1, classic=True)
    study = Study(*words)
    first = next(study.reports())
    assert first.title == "Draco mesh" and study.warnings == []
    list(study.reports())
    names = [curve.name for curve in study.curves()]
    assert names == ["low-rank", "Draco mesh", "block grid", "lossless bits"]
    assert read_curve(tmp_path / "s" / "block-grid.json").points[0].num_parameters is None
    assert read_curve(tmp_path / "s" / "lossless-bits.json").points[0].figure == 1.0
    assert "lossless bits" in (tmp_path / "s" / "rd.svg").read_text()
    assert list(Study(*words).reports()) == []


@pytest.mark.parametrize("rank", [1, 2])
def test_another_study_in_the_same_folder_is_refused(ball, tmp_path, rank):
    list(Study(ball, tmp_path / "s", SMALL, alone(1)).reports())
    other = SMALL.replaced(steps=30)
    with pytest.raises(FieldlrError, match="`steps` 20 and this study needs 30"):
        Study(ball, tmp_path / "s", other, alone(rank))


def test_another_source_in_the_same_folder_is_refused(ball, tmp_path):
    list(Study(ball, tmp_path / "s", SMALL, alone(1)).reports())
    other = tmp_path / "other.npy"
    np.save(other, np.load(ball)[:, ::-1][2:])
    with pytest.raises(FieldlrError, match="content_hash"):
        Study(other, tmp_path / "s", SMALL, alone(1))


def test_a_rank_that_fits_no_layer_is_refused_before_any_fit(ball, tmp_path):
    small = FitOptions.of(steps=20, width=16)
    with pytest.raises(FieldlrError, match="rank=500"):
        Study(ball, tmp_path / "s", small, alone(1, 500))


def test_an_evaluation_does_not_finish_a_fit(ball, tmp_path):
    words = ball, tmp_path / "s", SMALL, alone(1)
    study = Study(*words)
    next(study.reports())
    study.checkpoint()
    study.current_fit.run.add_results({"eval": {"iou": 0.5}})
    assert Study(*words).done == []


def test_photos_are_studied_without_a_grid(tmp_path):
    sweep = Sweep(backbones=("sine-low-rank",), ranks=(5,))
    study = Study(example("windmill"), tmp_path, SMALL.replaced(downscale=4), sweep)
    assert {entry.options.network.encoding for entry in study.entries} == {"frequency"}
    assert study.measure == "psnr_db"
