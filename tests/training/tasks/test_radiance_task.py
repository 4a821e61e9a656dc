"""Fitting photos: a tiny scene of our own making, and a little of a real one."""

import dataclasses
import math

import pytest
import torch

from fieldlr.data.scene import Scene
from fieldlr.fields.config import FieldConfig
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid, Frequency
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.rendering.compositing import Composite
from fieldlr.rendering.samples import RaySamples
from fieldlr.training.tasks import held_out
from fieldlr.training.tasks.radiance import NEAR_COST, RadianceTask
from fieldlr.training.tasks.radiance_settings import PRESETS, RadianceSettings

SIZE, VIEWS = 24, 14
CONFIG = FieldConfig(encoding=DenseGrid(2, 4, 8, 16), activation=Relu(), width=32, depth=1)
SETTINGS = RadianceSettings(grid_rate=3e-2, samples_per_step=4096)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Steps this small only wait for one another on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def look_at_origin(position: torch.Tensor) -> torch.Tensor:
    """A pose (3, 4) whose -Z axis points at the origin."""
    back = torch.nn.functional.normalize(position, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(torch.eye(3)[2], back), dim=0)
    return torch.stack([right, torch.linalg.cross(back, right), back, position], 1)


def ball_scene(alpha: bool = True, masks: bool = False) -> Scene:
    """A ball of radius 0.5, coloured by its normal, seen from all around."""
    angles = torch.arange(VIEWS) * 2.4
    heights = torch.linspace(-0.8, 0.8, VIEWS)
    across = (1.0 - heights**2).sqrt()
    positions = 3.0 * torch.stack([across * angles.cos(), across * angles.sin(), heights], 1)
    cameras = Cameras(
        torch.stack([look_at_origin(p) for p in positions]),
        torch.tensor([[40.0, 40.0, SIZE / 2, SIZE / 2]]).repeat(VIEWS, 1),
        torch.full((VIEWS, 2), SIZE),
        torch.zeros(VIEWS, 6),
    )
    images = []
    for view in range(VIEWS):
        rays = cameras.image_rays(view)
        along = -(rays.origins * rays.directions).sum(-1)
        gap = 0.25 - (rays.origins.norm(dim=-1) ** 2 - along**2)
        hit = rays.at(along - gap.clamp_min(0.0).sqrt())
        seen = (gap > 0)[:, None]
        color = torch.where(seen, 0.5 + hit, 0.0)
        image = torch.cat([color, seen.float()], -1) if alpha else color
        images.append((255.0 * image).round().byte().view(SIZE, SIZE, -1))
    hidden = torch.ones(SIZE, SIZE, dtype=torch.bool)
    hidden[:6] = False
    return Scene(
        name="ball",
        images=images,
        cameras=cameras,
        space=Space("box", Aabb((-0.7,) * 3, (0.7,) * 3)),
        frame=Similarity(),
        train=tuple(range(2, VIEWS)),
        test=(0, 1),
        names=tuple(f"{i}.png" for i in range(VIEWS)),
        masks=[hidden] * VIEWS if masks else None,
        points=None,
        missing=0,
        warnings=(),
        content_hash="",
        split="the first two views",
    )


def train(task, config, steps: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    field = task.make_field(config, generator)
    adam = torch.optim.Adam(task.parameter_groups(field), fused=True)
    rates = [group["lr"] for group in adam.param_groups]
    losses = []
    for step in range(steps):
        for group, rate in zip(adam.param_groups, rates, strict=True):
            group["lr"] = rate * task.learning_rate_factor(field, step / steps, step)
        loss, _ = task.loss(field, generator, step / steps)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return field, losses


@pytest.fixture(scope="module")
def trained():
    task = RadianceTask(ball_scene(), SETTINGS)
    return task, *train(task, CONFIG, 150)


def test_a_ball_is_learned(trained):
    task, field, losses = trained
    figures = task.evaluate(field)
    assert figures["psnr_db"] > 20.0
    assert figures["ssim"] > 0.85
    assert figures["psnr_min_db"] <= figures["psnr_db"]
    assert figures["psnr_of_mean_mse_db"] <= figures["psnr_db"]
    assert [view["name"] for view in figures["per_view"]] == ["0.png", "1.png"]
    assert figures["background"] == "white"
    assert task.quality(field) == pytest.approx(figures["psnr_db"], abs=0.1)
    assert not task.collapsed(field, losses)


def test_a_budget_is_rounded_to_views(trained, monkeypatch):
    task, field, _ = trained
    whole = task.evaluate(field)
    assert task.evaluate(field, budget=1) == whole  # There are fewer than QUICK_VIEWS.
    monkeypatch.setattr(held_out, "QUICK_VIEWS", 1)
    some = task.evaluate(field, budget=1)
    assert some["measured_on"] == "1 of 2 views"
    assert some["per_view"] == whole["per_view"][:1]


def test_the_grid_prunes_and_rays_follow(trained):
    task, field, _ = trained
    assert field.cell_occupied.float().mean() < 0.5
    _, num_samples = task.loss(field, torch.Generator().manual_seed(5), 1.0)
    assert 0.5 < num_samples / SETTINGS.samples_per_step < 2.0


def test_the_surface_is_where_the_ball_is(trained):
    _, field, _ = trained
    generator = torch.Generator().manual_seed(0)
    direction = torch.nn.functional.normalize(torch.randn(200, 3, generator=generator), dim=-1)
    with torch.no_grad():
        outside, inside = field.level(0.65 * direction), field.level(0.47 * direction)
    assert outside.mean() < inside.mean() - 1.5
    assert (outside < 0.0).all()


def test_constant_losses_mean_collapse(trained):
    task, field, _ = trained
    constant = task.pixels.constant_mse
    assert task.collapsed(field, [constant] * 300)
    assert not task.collapsed(field, [constant] * 100)
    assert not task.collapsed(field, [0.5 * constant] * 300)


def test_an_empty_field_has_the_loss_of_a_collapse(generator):
    task = RadianceTask(ball_scene(), SETTINGS)
    field = task.make_field(CONFIG, generator)
    head = field.networks[0].trunk.linears[-1]
    head.bias.data[0] = -100.0
    losses = [task.loss(field, generator, 0.0)[0].item() for _ in range(50)]
    assert sum(losses) / 50 == pytest.approx(task.pixels.constant_mse, rel=0.2)
    assert task.collapsed(field, losses * 6)


def test_same_seed_same_weights():
    task = RadianceTask(ball_scene(), SETTINGS)
    (a, _), (b, _) = (train(task, CONFIG, 20, seed=7) for _ in range(2))
    for one, other in zip(a.state_dict().values(), b.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_density_close_to_a_camera_is_penalised_in_an_unbounded_scene():
    scene = ball_scene()
    endless = dataclasses.replace(
        scene, space=Space("contracted", Aabb((-1.0,) * 3, (1.0,) * 3), near=0.2)
    )
    edges = torch.tensor([0.2, 0.3, 0.49, 0.6])
    samples = RaySamples(edges[:-1], edges[1:], torch.zeros(3, dtype=torch.int64), 1)
    weights = torch.tensor([1.0, 0.5, 0.25])
    seen = Composite(samples, torch.zeros(1, 3), torch.ones(1), weights)
    closeness = torch.tensor([0.5, 0.21, 0.0])
    expected = NEAR_COST * (weights * closeness**2).sum()
    assert torch.allclose(RadianceTask(endless)._near_cost(seen), expected)
    assert RadianceTask(scene)._near_cost(seen) == 0.0


@pytest.mark.parametrize("linear", [Full(), LowRank(4), SineLowRank(4)], ids=lambda x: repr(x))
def test_pure_mlps_learn_too(linear):
    task = RadianceTask(ball_scene(), SETTINGS)
    config = FieldConfig(linear, Frequency(4), Relu(), 48, 2)
    field, losses = train(task, config, 80)
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert math.isfinite(task.quality(field))


def test_the_original_network_learns():
    settings = dataclasses.replace(PRESETS["paper"].settings, rays_per_step=64, dense_rate=2e-3)
    task = RadianceTask(ball_scene(alpha=False), settings)
    config = FieldConfig(Full(), Frequency(4), Relu(), 32, 3, (2,), "nerf")
    field, losses = train(task, config, 60)
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert len(field.networks) == 2


def test_masked_pixels_are_never_drawn_nor_counted():
    scene = ball_scene(masks=True)
    bright = [image.clone() for image in scene.images]
    for image in bright:
        image[:6, :, :] = 255
    task = RadianceTask(dataclasses.replace(scene, images=bright), SETTINGS)
    assert len(task.pixels) == 12 * SIZE * (SIZE - 6)
    colors = task.pixels.draw(5000, torch.Generator().manual_seed(0)).colors
    assert not (colors == 1.0).all(-1).any()
    plain = RadianceTask(scene, SETTINGS)
    field = plain.make_field(CONFIG, torch.Generator().manual_seed(0))
    assert task.evaluate(field) == plain.evaluate(field)
    assert task.quality(field) == plain.quality(field)
    assert task.pixels.constant_mse == plain.pixels.constant_mse


def test_a_view_that_is_hidden_altogether_has_no_figures():
    scene = ball_scene(masks=True)
    nothing = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    masks = [nothing, *scene.masks[1:]]
    task = RadianceTask(dataclasses.replace(scene, masks=masks), SETTINGS)
    field = task.make_field(CONFIG, torch.Generator().manual_seed(0))
    figures = task.evaluate(field)
    first, second = figures["per_view"]
    assert first["ssim"] is None and math.isnan(first["psnr_db"])
    assert figures["psnr_db"] == second["psnr_db"] and figures["ssim"] == second["ssim"]
    assert math.isfinite(task.quality(field))


def test_drawn_pixels_are_the_photos(generator):
    """Every drawn ray goes through the pixel whose colour came with it."""
    scene = ball_scene()
    drawn = RadianceTask(scene, SETTINGS).pixels.draw(500, generator)
    rays = drawn.rays
    for view in scene.train:
        own = (rays.origins == scene.cameras.camera_to_world[view, :, 3]).all(-1)
        pixels, _ = scene.cameras.project(view, rays[own].at(torch.ones(int(own.sum()))))
        column, row = pixels.floor().long().unbind(-1)
        expected = scene.images[view][row, column].float() / 255.0
        assert torch.equal(expected, torch.cat([drawn.colors, drawn.alpha], -1)[own])


def test_photos_without_alpha_are_before_black():
    task = RadianceTask(ball_scene(alpha=False), SETTINGS)
    assert task.background == (0.0, 0.0, 0.0)
    drawn = task.draw(10, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert torch.equal(drawn.background, torch.zeros(3)) and drawn.target.shape == (10, 3)


def test_presets_build():
    task = RadianceTask(ball_scene(), SETTINGS)
    for preset in PRESETS.values():
        field = task.make_field(preset.config, torch.Generator().manual_seed(0))
        assert RadianceTask(task.scene, preset.settings).parameter_groups(field)


def test_lego_is_far_better_than_a_constant_colour(data_dir):
    from fieldlr.data import open_source

    scene = open_source(data_dir / "scenes" / "lego", 4).content
    task = RadianceTask(scene, RadianceSettings(samples_per_step=16384))
    field, _ = train(task, PRESETS["quick"].config, 120)
    assert task.quality(field) > 3.0 - 10.0 * math.log10(task.pixels.constant_mse)
