"""Compositing: the laws, numbers worked by hand, and gradients."""

import math

import pytest
import torch

from fieldlr.rendering.compositing import composite, ray_sums, render_weights
from fieldlr.rendering.samples import RaySamples


def packed(counts, generator) -> RaySamples:
    """Random intervals, `counts` of them on each ray."""
    starts, ends, rays = [], [], []
    for ray, count in enumerate(counts):
        edges = torch.rand(count + 1, generator=generator).cumsum(0)
        starts.append(edges[:-1])
        ends.append(edges[1:])
        rays.append(torch.full((count,), ray))
    return RaySamples(torch.cat(starts), torch.cat(ends), torch.cat(rays), len(counts))


def test_hand_worked_numbers():
    """Two intervals that halve the light, and a ray that sees nothing."""
    samples = RaySamples(
        torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]), torch.tensor([0, 0]), 2
    )
    colors = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    halving = torch.full((2,), math.log(2.0))
    seen = composite(samples, colors, halving, torch.tensor([0.0, 0.0, 1.0]))
    assert torch.allclose(seen.weights, torch.tensor([0.5, 0.25]))
    assert torch.allclose(seen.rgb, torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]))
    assert torch.allclose(seen.opacity, torch.tensor([0.75, 0.0]))
    # Half of 0.75 is met three quarters through the first interval.
    assert torch.allclose(seen.depth, torch.tensor([1.75, 0.0]))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3, 1e30])
def test_weights_and_transmittance_add_up_to_one(scale, generator):
    samples = packed([5, 0, 40, 1, 0], generator)
    depths = scale * torch.rand(len(samples), generator=generator)
    weights, transmittance = render_weights(samples, depths)
    total = ray_sums(samples, weights[:, None])[:, 0] + transmittance
    assert torch.allclose(total, torch.ones(5), atol=1e-6)
    assert (weights >= 0.0).all() and torch.isfinite(weights).all()


def test_splitting_an_interval_changes_nothing(generator):
    samples = packed([6, 3], generator)
    density = 5.0 * torch.rand(len(samples), generator=generator)
    colors = torch.rand(len(samples), 3, generator=generator)
    cut = samples.t_starts + 0.3 * (samples.t_ends - samples.t_starts)
    twice = RaySamples(
        torch.stack([samples.t_starts, cut], 1).flatten(),
        torch.stack([cut, samples.t_ends], 1).flatten(),
        samples.ray_indices.repeat_interleave(2),
        2,
    )
    white = torch.ones(3)
    whole = composite(samples, colors, density * (samples.t_ends - samples.t_starts), white)
    depths = density.repeat_interleave(2) * (twice.t_ends - twice.t_starts)
    split = composite(twice, colors.repeat_interleave(2, 0), depths, white)
    assert torch.allclose(whole.rgb, split.rgb, atol=1e-6)
    assert torch.allclose(whole.opacity, split.opacity, atol=1e-6)


def test_rays_do_not_see_one_another(generator):
    """A packed batch equals each ray alone, behind ten thousand opaque intervals too."""
    samples = packed([10_000, 7], generator)
    depths = torch.rand(len(samples), generator=generator)
    depths[:10_000] *= 50.0
    alone = RaySamples(
        samples.t_starts[10_000:], samples.t_ends[10_000:], torch.zeros(7, dtype=torch.int64), 1
    )
    together, _ = render_weights(samples, depths)
    apart, _ = render_weights(alone, depths[10_000:])
    assert torch.allclose(together[10_000:], apart, atol=1e-7)


def test_gradients(generator):
    samples = packed([4, 0, 3], generator)
    samples = RaySamples(samples.t_starts.double(), samples.t_ends.double(), samples.ray_indices, 3)
    depths = torch.rand(7, generator=generator, dtype=torch.float64).requires_grad_()
    colors = torch.rand(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
    background = torch.rand(3, 3, generator=generator, dtype=torch.float64).requires_grad_()

    def see(colors, depths, background):
        seen = composite(samples, colors, depths, background)
        return seen.rgb, seen.opacity

    assert torch.autograd.gradcheck(see, (colors, depths, background))


def test_a_median_depth_is_on_one_surface_or_the_other(generator):
    """A leaf before a wall: 40 % and 60 % of the light, and the median is the wall's."""
    samples = RaySamples(
        torch.tensor([1.0, 9.0]), torch.tensor([1.1, 9.1]), torch.zeros(2, dtype=torch.int64), 1
    )
    depths = torch.tensor([-math.log(0.6), 50.0])
    seen = composite(samples, torch.zeros(2, 3), depths, torch.zeros(3))
    assert 9.0 < seen.depth.item() < 9.1


def test_no_intervals_at_all():
    nothing = RaySamples(*torch.zeros(2, 0), torch.zeros(0, dtype=torch.int64), 3)
    seen = composite(nothing, torch.zeros(0, 3), torch.zeros(0), torch.ones(3))
    assert torch.equal(seen.rgb, torch.ones(3, 3))
    assert torch.equal(seen.depth, torch.zeros(3))
