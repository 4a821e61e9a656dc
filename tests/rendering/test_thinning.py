"""Thinned rays see what whole ones see, and learn the same on average."""

import pytest
import torch

from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.rendering import thinning
from fieldlr.rendering.compositing import composite
from fieldlr.rendering.gradients import distance_scale, scale_gradients
from fieldlr.rendering.render import render_rays
from fieldlr.rendering.samplers import grid_sampler
from fieldlr.rendering.samples import RaySamples
from fieldlr.rendering.thinning import Look, exact_composite, look, rough_composite, thinned_rays

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
WHITE = torch.ones(3)


@pytest.mark.parametrize("rough", [True, False])
def test_a_ball_is_seen_as_by_whole_rays(ball, rays, generator, rough):
    """A ball is either empty or dense: nothing of it is left to chance."""
    seen, cost = thinned_rays(ball, grid_sampler(ball), rays, WHITE, generator, rough)
    (whole,), count = render_rays(ball, rays, WHITE)
    clear = (whole.opacity < 1e-6) | (whole.opacity > 0.99)
    assert (seen.rgb - whole.rgb)[clear].abs().mean() < 0.02
    assert cost < count


def test_dark_and_empty_samples_are_seldom_drawn(ball, rays, generator):
    seen = look(ball, grid_sampler(ball), rays, generator)
    empty = seen.depths == 0.0
    drawn = torch.zeros_like(empty).index_fill(0, seen.drawn, True)
    assert drawn[empty].float().mean() < 1.1 * thinning.HOPE / thinning.SURE
    lit = ball.cell_light.clone()
    assert lit.max() <= 1.0 and lit.min() >= 0.0


def fog(chances, generator) -> tuple[Look, torch.Tensor, torch.Tensor]:
    """A ray of eight thin intervals, which of them were drawn, and their colours and densities."""
    depths = 0.05 * torch.rand(8, generator=generator)
    edges = torch.arange(9.0)
    samples = RaySamples(edges[:-1], edges[1:], torch.zeros(8, dtype=torch.int64), 1)
    drawn = (torch.rand(8, generator=generator) < chances).nonzero()[:, 0]
    own = torch.full((8,), chances)[drawn]
    seen = Look(samples, torch.zeros(8, 3), torch.ones(8), depths, drawn, own)
    return seen, torch.rand(8, 3, generator=generator), depths


def test_all_drawn_is_the_composite_itself(generator):
    seen, colors, depths = fog(1.0, generator)
    whole = composite(seen.samples, colors, depths, WHITE)
    for way in (exact_composite, rough_composite):
        assert torch.allclose(way(seen, colors, depths, WHITE).rgb, whole.rgb, atol=1e-6)


def test_the_light_that_is_left_is_exact_whatever_was_drawn(generator):
    """And colours that agree are, too, unless nothing was drawn at all."""
    for _ in range(20):
        seen, _, depths = fog(0.5, generator)
        red = torch.tensor([1.0, 0.0, 0.0]).expand(8, 3)
        whole = composite(seen.samples, red, depths, torch.zeros(3))
        found = exact_composite(seen, red[seen.drawn], depths[seen.drawn], torch.zeros(3))
        assert torch.allclose(found.opacity, whole.opacity, atol=1e-6)
        if found.rgb[0, 0] * 2.0 > whole.rgb[0, 0]:
            assert (
                torch.allclose(found.rgb, whole.rgb, atol=1e-6) or found.rgb.sum() < whole.rgb.sum()
            )


def test_a_rough_ray_is_right_on_average():
    """In thin fog, where optical depths add up: its opacity over many draws."""
    found, whole = [], 0.0
    for seed in range(4000):
        own = torch.Generator().manual_seed(1)
        seen, colors, depths = fog(0.5, own)
        wins = torch.rand(8, generator=torch.Generator().manual_seed(seed)) < 0.5
        drawn = wins.nonzero()[:, 0]
        seen = Look(
            seen.samples, seen.unit, seen.lengths, depths, drawn, torch.full((len(drawn),), 0.5)
        )
        found.append(rough_composite(seen, colors[drawn], depths[drawn], WHITE).opacity)
        whole = composite(seen.samples, colors, depths, WHITE).opacity
    assert abs(torch.cat(found).mean() - whole) < 0.03 * whole


def test_gradients_scale_with_the_square_of_the_distance_in_an_unbounded_scene():
    values = torch.ones(4, requires_grad=True)
    distances = torch.tensor([0.0, 0.1, 0.5, 3.0])
    calm = scale_gradients(values, distance_scale(Space("contracted", BOX), distances))
    assert torch.equal(calm, torch.ones(4))
    calm.sum().backward()
    assert torch.allclose(values.grad, torch.tensor([0.0, 0.01, 0.25, 1.0]))
    assert torch.equal(distance_scale(Space("box", BOX), distances), torch.ones(4))
