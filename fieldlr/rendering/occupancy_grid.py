"""A coarse map of where a radiance field is dense, kept up to date while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fieldlr.fields.radiance import RadianceField, cell_indices
from fieldlr.rendering.samples import uniform

# Cells that are asked in one go.
CHUNK = 65536


@dataclass(frozen=True)
class OccupancyGrid:
    """Booleans over the cube [-1, 1]^3 of a `Space`: False where there is nothing to see.

    The rule of Müller et al. 2022, appendix C: every cell holds the largest density seen in it,
    fading a little at each update; it is occupied while light that crosses it would lose more
    than `min_opacity`. Where no cell is that dense yet, half of the densest is the limit: a fit
    never loses its last cells. The tensors, which `update` changes in place, are buffers of the
    field: they travel with it.
    """

    density: Float[Tensor, "r r r"]  # float32, indexed z, y, x
    occupied: Bool[Tensor, "r r r"]
    min_opacity: float = 0.01
    decay: float = 0.8

    @staticmethod
    def of(field: RadianceField) -> OccupancyGrid:
        """The grid that a field carries."""
        return OccupancyGrid(field.cell_density, field.cell_occupied)

    @property
    def resolution(self) -> int:
        """Cells along an edge of the cube."""
        return self.density.shape[0]

    def cells(self, unit: Float[Tensor, "*batch 3"]) -> Int[Tensor, "*batch"]:
        """Flat indices (...) of the cells that points (..., 3) of the cube lie in."""
        return cell_indices(unit, self.resolution)

    def keeps(self, unit: Float[Tensor, "*batch 3"]) -> Bool[Tensor, "*batch"]:
        """Booleans (...): whether points (..., 3) of the cube lie in occupied cells."""
        return self.occupied.view(-1)[self.cells(unit)]

    @torch.no_grad()
    def update(
        self,
        density: Callable[[Float[Tensor, "m 3"]], Float[Tensor, " m"]],
        fraction: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Asks the density (M,) at points (M, 3) of the cube, one in each of a share of the cells.

        Points are drawn within their cells, or are the centres where there is no generator.
        """
        chosen = self._choose(fraction, generator)
        flat = self.density.view(-1).mul_(self.decay)
        for cells in chosen.split(CHUNK):
            seen = density(self.points(cells, generator)).to(flat.dtype)
            flat.scatter_reduce_(0, cells, seen, "amax")
        limit = flat.new_tensor(self.min_opacity * 0.5 * self.resolution)
        self.occupied.copy_(self.density > torch.minimum(0.5 * flat.max(), limit))

    def _choose(self, fraction: float, generator: torch.Generator | None) -> Tensor:
        """Cells (K,): all of them, or a random share, half of it among the occupied ones."""
        count, device = self.density.numel(), self.density.device
        if fraction >= 1.0:
            return torch.arange(count, device=device)
        half = round(0.5 * fraction * count)
        anywhere = torch.randint(count, (half,), generator=generator).to(device)
        occupied = self.occupied.view(-1).nonzero()[:, 0]
        if len(occupied) > half:
            picks = torch.randint(len(occupied), (half,), generator=generator).to(device)
            occupied = occupied[picks]
        return torch.cat([anywhere, occupied])

    def points(
        self, cells: Int[Tensor, " k"], generator: torch.Generator | None
    ) -> Float[Tensor, "k 3"]:
        """A point of the cube in each of the cells: drawn, or the centre without a generator."""
        n = self.resolution
        corner = torch.stack([cells % n, cells // n % n, cells // n**2], -1).to(torch.float32)
        within = 0.5
        if generator is not None:
            within = uniform(corner.shape, generator, corner.device)
        return (corner + within) * (2.0 / n) - 1.0
