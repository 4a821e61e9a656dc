"""Studies on a small solid: the plan, the fits, stopping and going on."""

import json

import numpy as np
import pytest
import torch

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.examples import example
from fieldlr.presets import FitOptions, make_task
from fieldlr.study import Study, read_curve
from fieldlr.study.sweep import narrow_width, plan

BASE = FitOptions(steps=20, preset="quick")


@pytest.fixture
def ball(tmp_path):
    axis = torch.linspace(-1.2, 1.2, 24)
    solid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).norm(dim=-1) < 1.0
    path = tmp_path / "ball.npy"
    np.save(path, solid.numpy())
    return path


@pytest.fixture
def task(ball):
    return make_task(open_source(ball), BASE.settled())


@pytest.mark.parametrize(("rank", "width"), [(1, 36), (2, 42), (5, 57), (20, 104)])
def test_the_narrow_rivals_of_the_papers_ranks(task, rank, width):
    assert narrow_width(task, "volume", FitOptions(backbone="low-rank", rank=rank)) == width


def test_a_plan_takes_one_seed_after_the_other(task):
    entries = plan(task, "volume", BASE, ["full", "sine-low-rank"], [1, 5], 2, narrow=True)
    assert [(e.curve, e.point, e.options.seed) for e in entries[:5]] == [
        ("full", "full", 0),
        ("sine-low-rank", "k=1", 0),
        ("sine-low-rank", "k=5", 0),
        ("narrow full", "width=36", 0),
        ("narrow full", "width=57", 0),
    ]
    assert len(entries) == 10 and entries[5].options.seed == 1
    assert len({e.name for e in entries}) == 10


def test_omega_is_of_the_sine_alone(task):
    base = FitOptions(steps=20, omega=100.0)
    for entry in plan(task, "volume", base, ["full", "low-rank", "sine-low-rank"], [1], 1, True):
        assert entry.options.omega == (100.0 if entry.curve == "sine-low-rank" else None)


@pytest.mark.parametrize(
    ("backbones", "ranks", "seeds"),
    [
        ([], [1], 1),
        (["full", "full"], [1], 1),
        (["low-rank"], [], 1),
        (["full", "low-rnak"], [1], 1),
        (["low-rank"], [0], 1),
        (["low-rank"], [1, 1], 1),
        (["low-rank"], [1], 0),
    ],
)
def test_a_plan_without_sense_is_refused(task, backbones, ranks, seeds):
    with pytest.raises(FieldlrError):
        plan(task, "volume", BASE, backbones, ranks, seeds, narrow=False)


def test_a_study_from_beginning_to_end(ball, tmp_path):
    out = tmp_path / "study"
    words = ball, out, BASE, ["low-rank", "sine-low-rank"], [1, 2]
    first = Study(*words, seeds=2)
    for report in first.reports():
        if report.index == 2:
            first.checkpoint()
            break
    assert len(first.done) == 2
    second = Study(*words, seeds=2)
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
    assert curve.points[0].num_bytes == 4 * 2817
    table = json.loads((out / "bd.json").read_text())
    assert len(table) == 2 and all("refused" in r or "bd_rate_percent" in r for r in table)
    assert (out / "rd.svg").read_text().startswith("<?xml")
    assert "low-rank" in (out / "rd.html").read_text()
    assert list(Study(*words, seeds=2).reports()) == []


def test_another_study_in_the_same_folder_is_refused(ball, tmp_path):
    list(Study(ball, tmp_path / "s", BASE, ["low-rank"], [1]).reports())
    other = FitOptions(steps=30, preset="quick")
    with pytest.raises(FieldlrError, match="steps 20 and this study wants 30"):
        Study(ball, tmp_path / "s", other, ["low-rank"], [1])


def test_another_source_in_the_same_folder_is_refused(ball, tmp_path):
    list(Study(ball, tmp_path / "s", BASE, ["low-rank"], [1]).reports())
    other = tmp_path / "other.npy"
    np.save(other, np.load(ball)[:, ::-1][2:])
    with pytest.raises(FieldlrError, match="content_hash"):
        Study(other, tmp_path / "s", BASE, ["low-rank"], [1])


def test_a_rank_that_fits_no_layer_is_refused_before_any_fit(ball, tmp_path):
    small = FitOptions(steps=20, width=16)
    with pytest.raises(FieldlrError, match="rank 500"):
        Study(ball, tmp_path / "s", small, ["low-rank"], [1, 500])


def test_an_evaluation_does_not_finish_a_fit(ball, tmp_path):
    words = ball, tmp_path / "s", BASE, ["low-rank"], [1]
    study = Study(*words)
    next(study.reports())
    study.checkpoint()
    study.under_way.run.add_results({"eval": {"iou": 0.5}})
    assert Study(*words).done == {}


def test_photos_are_studied_without_a_grid(tmp_path):
    study = Study(example("windmill"), tmp_path, BASE, ["sine-low-rank"], [5], downscale=4)
    assert {entry.options.encoding for entry in study.entries} == {"frequency"}
    assert study.measure == "psnr_db"
