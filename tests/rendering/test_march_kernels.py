"""Rays followed by a compiled loop meet the intervals that torch finds."""

import pytest
import torch

from fieldlr.nn.execution import compiled
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.samplers import GridSampler

pytest.importorskip("numba", reason="needs pip install numba")


@pytest.mark.parametrize("random", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_intervals_are_those_of_torch(random, share, space, rays, generator, monkeypatch):
    occupied = torch.rand(8, 8, 8, generator=generator) < share
    cells = torch.ones(8, 8, 8)
    sampler = GridSampler(OccupancyGrid(cells, cells, occupied), 50)

    def draw():
        return sampler.sample(space, rays, torch.Generator().manual_seed(3) if random else None)

    found = draw()
    monkeypatch.setattr(compiled, "available", lambda: False)
    expected = draw()
    # A middle that lies on the face of a cell may fall to either side of it.
    assert abs(len(found) - len(expected)) <= 2
    if len(found) == len(expected):
        assert torch.equal(found.ray_indices, expected.ray_indices)
        own = rays[found.ray_indices]
        for ours, theirs in ((found.t_starts, expected.t_starts), (found.t_ends, expected.t_ends)):
            # Far away a rounding is a long way in the world, and none in the cube.
            there, here = (space.contract(own.at(t.clamp_max(1e5))) for t in (theirs, ours))
            assert torch.allclose(here, there, atol=1e-5)


def test_no_rays_give_no_intervals(space, rays, monkeypatch):
    cells = torch.ones(8, 8, 8)
    sampler = GridSampler(OccupancyGrid(cells, cells, cells.bool()), 50)
    assert len(sampler.sample(space, rays[:0])) == 0
    monkeypatch.setattr(compiled, "available", lambda: False)
    assert len(sampler.sample(space, rays[:0])) == 0
