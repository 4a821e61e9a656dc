"""Exposure and cameras learned beside a scene: nothing at first, and about their own means."""

import dataclasses
from pathlib import Path

import pytest
import torch

from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.geometry.rays import Rays
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import make_task
from fieldlr.training.state import start_fit
from fieldlr.training.tasks.corrections import BOTH, CAMERAS, EXPOSURE, PhotoCorrections
from fieldlr.training.tasks.radiance import RadianceTask
from tests.training.tasks.test_radiance_task import CONFIG, SETTINGS, ball_scene

MESH = next((Path(__file__).parents[3] / "meshes").glob("*.ply"))


@pytest.fixture
def both() -> PhotoCorrections:
    return PhotoCorrections(14, 0.7, BOTH)


def some_rays(corrections, generator) -> tuple[torch.Tensor, Rays]:
    photos = torch.randint(14, (50,), generator=generator)
    cameras = ball_scene().cameras
    return photos, cameras.rays(photos, 24 * torch.rand(50, 2, generator=generator))


def test_at_first_photos_are_as_they_are(both, generator):
    photos, rays = some_rays(both, generator)
    colors = torch.rand(50, 3, generator=generator)
    assert torch.allclose(both.rays(photos, rays).directions, rays.directions, atol=1e-6)
    assert torch.equal(both.rays(photos, rays).origins, rays.origins)
    assert torch.equal(both.apply_exposure(photos, colors), colors)
    assert both.penalty() == 0.0


@torch.no_grad()
def test_a_correction_common_to_all_photos_has_no_effect(both, generator):
    photos, rays = some_rays(both, generator)
    for parameter in (both.gains, both.turns, both.shifts):
        parameter += torch.tensor([0.3, -0.1, 0.2])
    assert torch.allclose(both.rays(photos, rays).directions, rays.directions, atol=1e-6)
    assert torch.allclose(both.apply_exposure(photos, torch.ones(50, 3)), torch.ones(50, 3))


@torch.no_grad()
def test_a_turn_is_a_rotation_and_a_shift_a_move(both):
    cameras, photo = ball_scene().cameras, torch.tensor([0])
    rays = cameras.rays(photo, torch.tensor([[3.0, 5.0]]))
    angle = torch.tensor(0.01)
    both.turns[0, 2] = angle * 14 / 13  # the mean of all is taken off
    both.shifts[0, 1] = 0.1 * 14 / 13
    cos, sin = float(angle.cos()), float(angle.sin())
    around = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    moved = both.rays(photo, rays)
    assert torch.allclose(moved.directions, rays.directions @ around.T, atol=1e-4)
    assert torch.allclose(moved.origins, rays.origins + torch.tensor([0.0, 0.07, 0.0]), atol=1e-6)
    found = both.figures(2.0)
    assert found["camera_shift"] > 0.0 and found["camera_turn_degrees"] > 0.0


def brightened() -> tuple[list[float], RadianceTask]:
    """A scene whose photos are brighter and darker in turns, and how much."""
    scene = ball_scene(alpha=False)
    factors = [0.6 if view % 2 else 1.0 for view in range(len(scene.images))]
    images = [(i.float() * f).byte() for i, f in zip(scene.images, factors, strict=True)]
    settings = dataclasses.replace(SETTINGS, correct=EXPOSURE)
    return factors, RadianceTask(dataclasses.replace(scene, images=images), settings)


@pytest.mark.slow
def test_exposures_are_found():
    factors, task = brightened()
    for _ in fit(start_fit(task, CONFIG, 0), FitConfig(steps=400)):
        pass
    gains = task.corrections.gains.detach().mean(-1)
    dark = torch.tensor([factors[view] < 1.0 for view in task.scene.train])
    assert gains[~dark].mean() > gains[dark].mean() + 0.25
    assert task.corrections.figures(1.0)["exposure_stops"] > 0.1


def test_a_checkpoint_holds_what_was_learned():
    settings = dataclasses.replace(SETTINGS, correct=BOTH, samples_per_step=1024)
    scene = ball_scene()
    one, two = (start_fit(RadianceTask(scene, settings), CONFIG, 0) for _ in range(2))
    for _ in fit(one, FitConfig(steps=10)):
        pass
    two.load(*one.save())
    for state in (one, two):
        for _ in fit(state, FitConfig(steps=12)):
            pass
    learned, resumed = (state.task.corrections.state_dict() for state in (one, two))
    assert all(torch.equal(learned[name], resumed[name]) for name in learned)
    assert all(value.abs().max() > 0 for value in learned.values())


def test_cameras_learn_through_the_points(generator):
    """Every turn and shift has a gradient, in whole passes as in thinned ones."""
    settings = dataclasses.replace(SETTINGS, correct=CAMERAS)
    task = RadianceTask(ball_scene(), settings)
    field = task.make_field(CONFIG, generator)
    with torch.no_grad():
        field.networks[0].encoding.table.normal_(0.0, 0.3, generator=generator)
    for step in (0, 100):
        field.training_state[0] = step
        task.corrections.zero_grad()
        task.loss(field, generator, 0.9)[0].backward()
        assert (task.corrections.turns.grad.norm(dim=-1) > 0).all()
        assert (task.corrections.shifts.grad.norm(dim=-1) > 0).all()


def test_a_mesh_has_nothing_to_correct():
    with pytest.raises(FieldlrError, match="applies to photos"):
        make_task(open_source(MESH, grid=32), FitOptions.of(correct="exposure"))
