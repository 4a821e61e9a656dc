"""Scenes of which a ray sees nothing: a sentence beforehand, and no step that fails."""

import dataclasses

import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import start_fit
from fieldlr.training.tasks.radiance import RadianceTask
from tests.training.tasks.test_radiance_task import CONFIG, SETTINGS, ball_scene


def test_a_box_without_rays_is_reported_before_training():
    scene = ball_scene()
    aside = Aabb((90.0, 90.0, 90.0), (92.0, 92.0, 92.0))
    scene = dataclasses.replace(scene, space=dataclasses.replace(scene.space, aabb=aside))
    with pytest.raises(FieldlrError, match=r"no ray meets the box.*\(90, 90, 90\).*look at"):
        RadianceTask(scene, SETTINGS)


def test_steps_without_a_sample_change_nothing():
    """Here the occupancy grid says that everything is empty, as it does of black photos."""
    task = RadianceTask(ball_scene(), SETTINGS)
    state = start_fit(task, CONFIG, 0)
    before = {k: v.clone() for k, v in state.field.state_dict().items() if "networks" in k}
    state.field.training_state.copy_(torch.tensor([1.0, 1.0]))
    grid = OccupancyGrid.of(state.field)
    grid.occupied.zero_()
    grid.dense.zero_()
    (*_, last) = fit(state, FitConfig(steps=3))
    assert last.samples == 0 and last.setbacks == 0
    after = state.field.state_dict()
    assert before and all(torch.equal(after[name], value) for name, value in before.items())


def test_photos_of_one_colour_start_no_restart():
    scene = ball_scene()
    flat = [torch.full_like(image, 0) for image in scene.images]
    task = RadianceTask(dataclasses.replace(scene, images=flat), SETTINGS)
    state = start_fit(task, CONFIG, 0)
    assert task.pixels.constant_mse == 0.0
    assert not task.collapsed(state.field, [1e-7] * 250)
    assert task.collapsed(state.field, [0.1] * 250)
