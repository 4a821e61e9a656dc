"""Samplers: sorted, inside the span, as dense as they should be, the same without a generator."""

import pytest
import torch

from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.samplers import GridSampler, HierarchicalSampler, inverse_cdf


def full_grid(cells: int = 8) -> OccupancyGrid:
    shape = (cells,) * 3
    return OccupancyGrid(torch.zeros(shape), torch.ones(shape), torch.ones(shape, dtype=torch.bool))


SAMPLERS = {"grid": GridSampler(full_grid(), 50), "hierarchical": HierarchicalSampler(20, 20)}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("random", [False, True])
def test_sorted_and_inside_the_span(name, random, space, rays, generator):
    samples = SAMPLERS[name].sample(space, rays, generator if random else None)
    assert len(samples) > 0
    start, stop = space.span(rays)
    own = samples.ray_indices
    assert (own.diff() >= 0).all()
    assert (samples.t_ends >= samples.t_starts).all()
    slack = 1e-4 * samples.t_ends
    assert (samples.t_starts >= start[own] - slack).all()
    assert (samples.t_ends <= stop[own] + slack).all()
    same_ray = own[1:] == own[:-1]
    overlap = samples.t_ends[:-1] - samples.t_starts[1:]
    assert (overlap <= slack[:-1])[same_ray].all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_covers_the_whole_span(name, space, rays, generator):
    """Intervals of a ray add up to its span: nothing falls between two of them."""
    samples = SAMPLERS[name].sample(space, rays, generator)
    start, stop = space.span(rays)
    covered = torch.zeros(len(rays)).index_add_(
        0, samples.ray_indices, samples.t_ends - samples.t_starts
    )
    if space.kind == "ndc":  # It ends at infinity; one millionth of the pace is left out.
        stop = torch.full_like(stop, 1e5)
        covered = covered.clamp_max(1e5) + start
    assert torch.allclose(covered, stop - start * (space.kind != "ndc"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
def test_deterministic_without_a_generator_and_by_seed(name, space, rays):
    def draw(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return SAMPLERS[name].sample(space, rays, generator).t_starts

    assert torch.equal(draw(None), draw(None))
    assert torch.equal(draw(1), draw(1))
    a, b = draw(1), draw(2)
    assert a.shape != b.shape or not torch.equal(a, b)


def test_grid_sampler_leaves_out_exactly_the_empty_cells(space, rays, generator):
    grid = full_grid()
    everything = GridSampler(grid, 50).sample(space, rays)
    grid.occupied.copy_(torch.rand(8, 8, 8, generator=generator) < 0.3)
    kept = GridSampler(grid, 50).sample(space, rays)
    midpoints = rays[everything.ray_indices].at(everything.midpoints)
    expected = grid.occupied.view(-1)[grid.cells(space.contract(midpoints))]
    assert 0 < len(kept) < len(everything)
    assert torch.equal(kept.t_starts, everything.t_starts[expected])
    assert torch.equal(kept.ray_indices, everything.ray_indices[expected])


def test_hierarchical_sampler_refines_where_the_weights_are(space, rays):
    sampler = HierarchicalSampler(16, 32)
    coarse = sampler.sample(space, rays)
    weights = torch.zeros(len(rays), 16)
    weights[:, 5] = 1.0
    fine = sampler.sample(space, rays, None, (coarse, weights.flatten()))
    assert len(fine) == len(rays) * 48
    low, high = (t.view(len(rays), 16)[:, 5] for t in (coarse.t_starts, coarse.t_ends))
    midpoints = fine.midpoints.view(len(rays), 48)
    inside = (midpoints > low[:, None]) & (midpoints < high[:, None])
    hit = high > low
    assert (inside.sum(1)[hit] >= 31).all()


def test_inverse_cdf_follows_the_weights(generator):
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    weights = torch.tensor([[1.0, 0.0, 3.0]])
    for source in (None, generator):
        drawn = inverse_cdf(edges, weights, 4000, source)[0]
        assert abs((drawn < 1.0).float().mean() - 0.25) < 0.01
        assert ((drawn > 1.0) & (drawn < 2.0)).float().mean() < 0.01
        assert abs(drawn[drawn > 2.0].mean() - 3.0) < 0.05
