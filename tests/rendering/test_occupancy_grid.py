"""The occupancy grid: where cells lie, what an update keeps and what it lets go."""

import torch

from fieldlr.rendering.occupancy_grid import OccupancyGrid


def empty(cells: int = 8) -> OccupancyGrid:
    shape = (cells,) * 3
    return OccupancyGrid(torch.zeros(shape), torch.ones(shape), torch.ones(shape, dtype=torch.bool))


def slab(unit: torch.Tensor) -> torch.Tensor:
    """Dense where x > 0.5."""
    return 50.0 * (unit[:, 0] > 0.5)


def test_cells_are_where_their_points_are(generator):
    grid = empty()
    cells = torch.arange(512)
    assert torch.equal(grid.cells(grid.points(cells, None)), cells)
    assert torch.equal(grid.cells(grid.points(cells, generator)), cells)
    assert grid.cells(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])).tolist() == [0, 511]


def test_update_keeps_what_is_dense():
    grid = empty()
    grid.update(slab)
    x = torch.linspace(-1, 1, 9)[:-1] + 0.125
    assert torch.equal(grid.occupied, (x > 0.5).expand(8, 8, 8))


def test_partial_updates_find_everything_in_time(generator):
    grid = empty()
    for _ in range(40):
        grid.update(slab, 0.25, generator)
    assert int(grid.occupied.sum()) == 128


def test_cells_that_became_empty_are_pruned():
    grid = empty()
    grid.update(slab)
    for _ in range(40):
        grid.update(lambda unit: slab(-unit))
    x = torch.linspace(-1, 1, 9)[:-1] + 0.125
    assert torch.equal(grid.occupied, (x < -0.5).expand(8, 8, 8))


def test_thin_uniform_density_is_not_pruned(generator):
    """Below the opacity limit, the densest cells stay: training is not cut off."""
    grid = empty()
    grid.update(lambda unit: 1e-3 * torch.rand(len(unit), generator=generator))
    assert 0.3 < grid.occupied.float().mean() < 0.7


def test_samples_of_rays_keep_a_thin_wall(generator):
    """Drawn points miss a wall of a thousandth of a cell; the rays that end on it do not."""
    met = 2.0 * torch.rand(100, 3, generator=generator) - 1.0
    met[:, 0] = -0.5  # where no drawn point finds anything
    cells = empty().cells(met).unique().long()
    for noted in (False, True):
        grid = empty()
        grid.density.view(-1)[cells] = 50.0
        for _ in range(40):
            grid.update(slab, 1.0, generator)
            if noted:
                grid.note(met, torch.full((100,), 50.0), torch.ones(100), torch.ones(100))
        grid.update(slab, 1.0, generator)
        assert grid.occupied.view(-1)[cells].all() == noted


def test_samples_of_little_light_or_opacity_are_not_noted():
    grid, point, dense = empty(), torch.zeros(1, 3), torch.tensor([50.0])
    for light, opacity in ((1e-4, 1.0), (1.0, 0.01)):
        grid.note(point, dense, torch.tensor([light]), torch.tensor([opacity]))
    assert grid.density.max() == 0.0
