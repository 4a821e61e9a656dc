"""Rendering a field that is known, in each kind of space."""

import pytest
import torch

from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.render import (
    CHUNK_SAMPLES,
    evaluate_rays,
    rays_at_once,
    render_image,
    render_progressively,
    render_rays,
)
from fieldlr.rendering.samplers import grid_sampler, sampler_for, view_sampler


def test_the_ball_is_red_on_white(ball, rays):
    (seen,), count = render_rays(ball, rays, torch.ones(3))
    assert count == len(seen.weights)
    solid = seen.opacity > 0.99
    assert solid.any() and (seen.opacity < 0.01).any()
    red = torch.tensor([1.0, 0.0, 0.0]).expand(int(solid.sum()), 3)
    assert torch.allclose(seen.rgb[solid], red, atol=0.02)
    assert torch.allclose(seen.rgb[seen.opacity < 1e-6], torch.ones(3))


def test_a_grid_that_skips_nothing_dense_changes_no_pixel(ball, rays):
    (before,), count_before = render_rays(ball, rays, torch.ones(3))
    network = ball.networks[-1]

    def widened(unit):
        """As dense as the ball is anywhere in the cell: corners and centre."""
        steps = torch.linspace(-1.0, 1.0, 5) / 64
        shifts = torch.cartesian_prod(steps, steps, steps)
        return torch.stack([network.density(unit + shift)[0] for shift in shifts]).amax(0)

    OccupancyGrid.of(ball).update(widened)
    (after,), count_after = render_rays(ball, rays, torch.ones(3))
    assert 0 < count_after < 0.5 * count_before
    assert torch.equal(before.rgb, after.rgb)
    assert torch.equal(before.opacity, after.opacity)


def test_image_has_the_ball_in_its_middle(ball, cameras):
    ball.space = Space("box", Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
    image = render_image(ball, cameras, 0)
    assert image.rgb.shape == (12, 16, 3) and image.depth.shape == (12, 16)
    # The camera is at a distance of 3 and the ball's radius is 0.4.
    assert abs(image.depth[6, 8] - 2.6) < 0.05
    assert image.opacity[6, 8] > 0.99 and image.opacity[0, 0] == 0.0
    assert torch.allclose(image.opacity, image.opacity.flip(0), atol=1e-3)
    assert torch.allclose(image.opacity, image.opacity.flip(1), atol=1e-3)
    assert torch.equal(image.rgb, render_image(ball, cameras, 0).rgb)


def test_a_view_comes_coarse_to_fine(ball, cameras):
    views = list(render_progressively(ball, cameras, 0))
    assert [tuple(v.depth.shape) for v in views] == [(1, 2), (3, 4), (6, 8), (12, 16)]
    assert torch.equal(views[-1].rgb, render_image(ball, cameras, 0).rgb)


def test_skipping_hidden_samples_changes_no_pixel(ball, rays):
    (whole,), _ = render_rays(ball, rays, torch.ones(3))
    hits = rays[(whole.opacity > 0.99).nonzero()[:, 0]]
    asked, all_of_them = (f(ball, hits, torch.ones(3))[1] for f in (evaluate_rays, render_rays))
    assert asked <= all_of_them * (0.9 if ball.space.kind == "box" else 1.0)
    seen, _ = evaluate_rays(ball, rays, torch.ones(3))
    assert (seen.rgb - whole.rgb).abs().max() < 0.5 / 255
    assert (seen.opacity - whole.opacity).abs().max() < 1e-3
    assert (seen.depth - whole.depth)[whole.opacity > 0.01].abs().max() < 0.01


def test_chunks_do_not_change_the_result(ball, rays):
    (whole,), _ = render_rays(ball, rays, torch.ones(3))
    parts = [
        render_rays(ball, rays[i : i + 17], torch.ones(3))[0][0].rgb for i in range(0, 192, 17)
    ]
    assert torch.allclose(whole.rgb, torch.cat(parts), atol=1e-6)


@pytest.mark.parametrize("space", ["box"], indirect=True)
def test_views_of_a_box_take_steps_short_enough_for_smooth_surfaces(ball, rays):
    background = torch.ones(3)
    (true,), _ = render_rays(ball, rays, background, sampler=grid_sampler(ball, 1 / 16))
    trained, viewed = (
        (render_rays(ball, rays, background, sampler=sampler)[0][0].depth - true.depth).abs().mean()
        for sampler in (sampler_for(ball), view_sampler(ball))
    )
    assert viewed < 0.6 * trained


def test_more_rays_at_once_where_most_is_empty_but_no_more_than_memory_is_for(ball, rays):
    def counted():
        samples = view_sampler(ball).sample(ball.space, rays)
        return rays_at_once(ball, rays), int(samples.first.diff().max())

    full, most = counted()
    assert 0.9 * CHUNK_SAMPLES < full * most <= CHUNK_SAMPLES
    cells = OccupancyGrid.of(ball)
    distances = cells.points(torch.arange(cells.occupied.numel()), None).norm(dim=-1)
    cells.occupied.copy_((distances < 0.2).view_as(cells.occupied))
    carved, few = counted()
    assert carved > 2 * full and 0 < carved * few <= CHUNK_SAMPLES
