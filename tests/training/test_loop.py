"""The loop: same seed, same weights; stopping and resuming changes nothing."""

import itertools
import json
import math
import os

import numpy as np
import pytest
import torch

import fieldlr
from fieldlr import codec
from fieldlr.data.volume import make_volume
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.geometry.boxes import Aabb
from fieldlr.nn.activations import Relu
from fieldlr.nn.linears import SineLowRank
from fieldlr.runs import open_run
from fieldlr.runs.pipeline import Reconstruction, evaluate
from fieldlr.runs.tensors import read_tensors
from fieldlr.training.budgets import has_few_steps, shortfall
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.state import MAX_SETBACKS, FitState, start_fit
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask

CPU = torch.device("cpu")
SMALL = FieldConfig(linear=SineLowRank(2), width=32)


def ball(size: int = 24):
    axes = np.meshgrid(*[np.linspace(-1, 1, size)] * 3, indexing="ij")
    grid = sum(a * a for a in axes) < 0.5
    return make_volume("ball", grid, Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))


@pytest.fixture
def task():
    return OccupancyTask(ball(), OccupancySettings(points_per_step=512))


@pytest.fixture
def ball_file(tmp_path):
    volume = ball()
    path = tmp_path / "ball.npz"
    np.savez(path, packed=volume.packed, shape=volume.shape)
    return path


def weights(state):
    return torch.cat([p.detach().flatten() for p in state.field.parameters()])


def run_to_end(state, steps):
    return list(fit(state, FitConfig(steps=steps)))


def test_same_seed_same_weights(task):
    states = [start_fit(task, SMALL, seed, CPU) for seed in (3, 3, 4)]
    for state in states:
        run_to_end(state, 10)
    assert torch.equal(weights(states[0]), weights(states[1]))
    assert not torch.equal(weights(states[0]), weights(states[2]))


def test_two_halves_with_a_resume_are_the_whole(task):
    whole = start_fit(task, SMALL, 0, CPU)
    run_to_end(whole, 30)
    first = start_fit(task, SMALL, 0, CPU)
    for report in fit(first, FitConfig(steps=30)):
        if report.step >= 1:
            break
    second = start_fit(task, SMALL, 0, CPU)
    second.load(*first.save())
    assert 1 <= second.step < 30
    run_to_end(second, 30)
    assert torch.equal(weights(second), weights(whole))
    assert second.samples == whole.samples


def test_moments_go_by_name_and_not_by_the_order_of_the_groups(task):
    state = start_fit(task, SMALL, 0, CPU)
    run_to_end(state, 5)
    task.parameter_groups = lambda field: OccupancyTask.parameter_groups(task, field)[::-1]
    other = start_fit(task, SMALL, 0, CPU)
    other.load(*state.save())
    run_to_end(state, 9)
    run_to_end(other, 9)
    assert torch.equal(weights(other), weights(state))


def test_training_learns_a_ball():
    by_adam_alone = OccupancySettings(points_per_step=512, newton_after=None)
    task = OccupancyTask(ball(), by_adam_alone)
    state = start_fit(task, FieldConfig(width=32), 0, CPU)
    reports = run_to_end(state, 300)
    assert task.iou(state.field) > 0.9
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].samples == 300 * 512


def test_a_clock_ends_a_fit(task):
    state = start_fit(task, SMALL, 0, CPU)
    reports = list(fit(state, FitConfig(seconds=0.3)))
    assert reports[-1].progress == 1.0
    assert state.seconds >= 0.3


def exploding(rate: float) -> FitState:
    """A fit whose learning rates take its weights beyond float32 in the first steps."""
    settings = OccupancySettings(512, dense_rate=rate, matrix_rate=None, newton_after=None)
    return start_fit(
        OccupancyTask(ball(), settings), FieldConfig(activation=Relu(), width=32), 0, CPU
    )


def test_a_fit_ended_early_by_time_is_reported(task):
    second_order = start_fit(task, SMALL, 0, CPU)
    second_order.step, config = 31, FitConfig(seconds=15.0)
    assert not has_few_steps(second_order, config)
    state = start_fit(task, FieldConfig(activation=Relu(), width=32), 0, CPU)
    state.step, state.seconds = 31, 15.0
    assert has_few_steps(state, config)
    (text,) = shortfall(state, config)["warnings"]
    assert text.startswith("Only 31 steps were trained in 15 s")
    as_asked_for = FitConfig(steps=31, seconds=15.0)
    assert not has_few_steps(state, as_asked_for)
    # Good after 1,500 steps, of which 109 took 15 s.
    state.step = 109
    assert not has_few_steps(state, config) and has_few_steps(state, config, good=1500)
    found = shortfall(state, config, good=1500)
    assert found["good_seconds"] == 210.0 and "about 3 min 30 s here" in found["warnings"][0]
    state.step = 400
    assert shortfall(state, config, good=1500) == {"warnings": []}


def test_a_non_finite_step_is_undone_and_the_learning_rate_lowered():
    state = exploding(1e20)
    reports = run_to_end(state, 50)
    assert 0 < state.setbacks == reports[-1].setbacks <= MAX_SETBACKS
    assert weights(state).isfinite().all() and math.isfinite(reports[-1].loss)


def test_a_non_finite_gradient_takes_no_step(task):
    state = start_fit(task, SMALL, 0, CPU)
    run_to_end(state, 3)
    before = weights(state)
    state.field.mlp.linears[0].bias.data[0] = torch.nan
    run_to_end(state, 4)
    assert state.setbacks == 1 and weights(state).isfinite().all()
    assert (weights(state) - before).abs().max() < 0.1


def test_setbacks_survive_a_resume():
    state = exploding(1e20)
    run_to_end(state, 50)
    resumed = start_fit(state.task, state.config, 0, CPU)
    resumed.load(*state.save())
    assert resumed.setbacks == state.setbacks
    run_to_end(state, 60), run_to_end(resumed, 60)
    assert torch.equal(weights(state), weights(resumed))


def test_a_loss_that_stays_non_finite_ends_the_fit_with_a_reason():
    with pytest.raises(FieldlrError, match="seed"):
        run_to_end(exploding(float("inf")), 100)


def test_gauss_newton_takes_no_step_from_non_finite_values(task):
    state = start_fit(task, SMALL, 0, CPU)
    state.field.mlp.linears[0].bias.data.fill_(torch.nan)
    loss, _ = task.gauss_newton_step(state.field, state.generator, 0.5, 1000)
    assert math.isnan(loss)


@pytest.mark.parametrize("ends", [{}, {"steps": 0}, {"seconds": -1.0}, {"seconds": float("nan")}])
def test_a_fit_needs_an_end(ends):
    with pytest.raises(FieldlrError):
        FitConfig(**ends)


def test_a_run_moves_and_opens_without_its_data(ball_file, tmp_path):
    options = {"steps": 20, "width": 64, "backbone": "sine-low-rank", "rank": 2}
    run = fieldlr.reconstruct(ball_file, tmp_path / "run", **options)
    points = torch.rand(50, 3) * 24
    expected = fieldlr.load(run.folder).inside(points)
    moved = run.folder.rename(tmp_path / "moved")
    ball_file.unlink()
    assert torch.equal(fieldlr.load(moved).inside(points), expected)
    with pytest.raises(FieldlrError, match="ball"):
        evaluate(open_run(moved))


def test_a_run_folder_holds_no_code_and_plain_json(ball_file, tmp_path):
    run = fieldlr.reconstruct(ball_file, tmp_path / "run", steps=5, width=64)
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "config.json",
        "checkpoint.safetensors",
        "field.safetensors",
        "history.jsonl",
        "results.json",
    }
    config = json.loads((run.folder / "config.json").read_text())
    assert len(config["content_hash"]) == 64
    assert not str(config["source"]).startswith("/")


def test_resume_on_disk_gives_the_same_weights(ball_file, tmp_path):
    options = FitOptions.of(steps=40, width=64, backbone="sine-low-rank", rank=2)
    whole = Reconstruction(ball_file, tmp_path / "whole", options)
    for _ in whole.reports():
        pass
    part = Reconstruction(ball_file, tmp_path / "part", options)
    next(iter(part.reports()))
    part.checkpoint()
    resumed = Reconstruction(ball_file, tmp_path / "part", FitOptions(), resume=True)
    assert 0 < resumed.state.step < 40
    for _ in resumed.reports():
        pass
    assert torch.equal(weights(resumed.state), weights(whole.state))


def test_a_run_that_cannot_go_on_stays_as_it_was(ball_file, tmp_path):
    run = fieldlr.reconstruct(ball_file, tmp_path / "run", steps=2, width=16)
    tensors, plain = run.load_checkpoint()
    del tensors["generator"]
    run.save_checkpoint(tensors, plain)
    config = (run.folder / "config.json").read_bytes()
    with pytest.raises(FieldlrError, match="does not match the network"):
        Reconstruction(ball_file, run.folder, FitOptions.of(steps=9), resume=True)
    assert (run.folder / "config.json").read_bytes() == config


def test_the_same_seed_and_steps_give_the_same_file(ball_file, tmp_path):
    files = []
    for name in ("one", "other"):
        fieldlr.reconstruct(ball_file, tmp_path / name, steps=5, width=16)
        files.append(codec.encode(fieldlr.load(tmp_path / name), 6.0))
    assert files[0] == files[1]


def test_a_run_is_not_overwritten_nor_continued_as_another(ball_file, tmp_path):
    fieldlr.reconstruct(ball_file, tmp_path / "run", steps=2, width=16)
    with pytest.raises(FieldlrError, match="`resume`"):
        Reconstruction(ball_file, tmp_path / "run", FitOptions.of(steps=2))
    with pytest.raises(FieldlrError, match="`backbone`"):
        options = FitOptions.of(steps=2, backbone="low-rank", rank=3)
        Reconstruction(ball_file, tmp_path / "run", options, resume=True)


def test_changed_data_is_noticed(ball_file, tmp_path):
    fieldlr.reconstruct(ball_file, tmp_path / "run", steps=2, width=16)
    volume = ball(20)
    np.savez(ball_file, packed=volume.packed, shape=volume.shape)
    with pytest.raises(FieldlrError, match="other data"):
        Reconstruction(ball_file, tmp_path / "run", FitOptions(), resume=True)


@pytest.mark.parametrize("name", ["field.safetensors", "config.json"])
def test_a_broken_run_ends_in_a_sentence(ball_file, tmp_path, name):
    run = fieldlr.reconstruct(ball_file, tmp_path / "run", steps=2, width=16)
    path = run.folder / name
    whole = path.read_bytes()
    for length in itertools.chain(range(0, 60, 20), [len(whole) // 2]):
        path.write_bytes(whole[:length])
        with pytest.raises(FieldlrError):
            fieldlr.load(run.folder)


def test_a_corrupt_checkpoint_falls_back_to_the_previous_one(ball_file, tmp_path):
    fit = Reconstruction(ball_file, tmp_path / "run", FitOptions.of(steps=40, width=16))
    for report in fit.reports():
        fit.checkpoint()
        if report.step >= 2:
            break
    run, newest = fit.run, tmp_path / "run" / "checkpoint.safetensors"
    before = run.load_checkpoint()[1]["step"] - 1
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    with pytest.raises(FieldlrError, match="checksum"):
        read_tensors(newest)
    assert run.load_checkpoint()[1]["step"] <= before
    # It goes on from there, and the broken one is never in the place of a whole one.
    again = Reconstruction(ball_file, tmp_path / "run", resume=True)
    for _ in again.reports():
        pass
    again.finish()
    whole = fieldlr.reconstruct(ball_file, tmp_path / "whole", steps=40, width=16)
    fields = [(folder / "field.safetensors").read_bytes() for folder in (run.folder, whole.folder)]
    assert fields[0] == fields[1]
    assert not (tmp_path / "run" / "checkpoint-before.safetensors").exists()


def test_the_history_of_a_fit_that_was_killed_has_no_step_twice(ball_file, tmp_path):
    fit = Reconstruction(ball_file, tmp_path / "run", FitOptions.of(steps=40, width=16))
    next(iter(fit.reports()))
    fit.checkpoint()
    path = tmp_path / "run" / "history.jsonl"
    with open(path, "a") as file:
        file.write('{"step": 39, "seconds": 1.0}\n{"step": 40, "sec')
    again = Reconstruction(ball_file, tmp_path / "run", resume=True)
    for _ in again.reports():
        pass
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 40


def test_the_folder_of_a_fit_killed_before_its_first_file_is_reused(ball_file, tmp_path):
    leftover = tmp_path / "run" / ".config.part-abc01_xy.json"
    leftover.parent.mkdir()
    leftover.touch()
    os.utime(leftover, (0, 0))
    fieldlr.reconstruct(ball_file, tmp_path / "run", steps=2, width=16)
    assert not leftover.exists()
