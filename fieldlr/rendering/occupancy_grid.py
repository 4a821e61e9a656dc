"""A coarse map of where a radiance field is dense, kept up to date while it trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fieldlr.fields.radiance import RadianceField, cell_indices
from fieldlr.rendering.samples import uniform

# A cell that less light than this reaches is not occupied; recorded light decays by this factor a
# step, so that a cell goes dark 300 steps after its last ray.
FAINTEST, LIGHT_FADES = 0.01, 0.985
# A sample counts as a hit if it absorbs at least this share of the ray's light.
MET = 0.1
# Cells per evaluation.
CHUNK = 65536


@dataclass(frozen=True)
class OccupancyGrid:
    """Booleans over the cube [-1, 1]^3 of a `Space`: False where rays may skip.

    Similar to Müller et al. 2022, appendix C: every cell holds the largest density sampled in it,
    decayed at each update; it is dense while a ray through it would lose more than `min_opacity`.
    Where no cell is that dense yet, the limit is half of the densest, so that a fit never loses
    its last cells. A cell is occupied if it is dense and some light reaches it: the interior of
    walls is dense but invisible. The tensors, changed in place, are buffers of the field.
    """

    density: Float[Tensor, "r r r"]  # float32, indexed z, y, x
    light: Float[Tensor, "r r r"]  # the most that reached a cell, fading with the steps
    occupied: Bool[Tensor, "r r r"]
    min_opacity: float = 0.03
    decay: float = 0.6

    @staticmethod
    def of(field: RadianceField) -> OccupancyGrid:
        """The grid that a field carries."""
        return OccupancyGrid(field.cell_density, field.cell_light, field.cell_occupied)

    @property
    def resolution(self) -> int:
        """Cells along an edge of the cube."""
        return self.density.shape[0]

    def cells(self, unit: Float[Tensor, "*batch 3"]) -> Int[Tensor, "*batch"]:
        """Flat indices (...) of the cells that points (..., 3) of the cube lie in."""
        return cell_indices(unit, self.resolution)

    @torch.no_grad()
    def update(
        self,
        density: Callable[[Float[Tensor, "m 3"]], Float[Tensor, " m"]],
        fraction: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Samples the density at a point of the cube in each of a share of the cells.

        Points are random within their cells, or the centres without a generator.
        """
        chosen = self._choose(fraction, generator)
        flat = self.density.view(-1)
        flat[chosen] *= self.decay
        for cells in chosen.split(CHUNK):
            seen = density(self.points(cells, generator)).to(flat.dtype)
            flat.scatter_reduce_(0, cells, seen, "amax")
        self.occupied.copy_(self.dense & (self.light > FAINTEST))

    @property
    def dense(self) -> Bool[Tensor, "r r r"]:
        """The dense cells, whether light reaches them or not."""
        limit = self.density.new_tensor(self.min_opacity * 0.5 * self.resolution)
        return self.density > torch.minimum(0.5 * self.density.max(), limit)

    @torch.no_grad()
    def note(
        self,
        unit: Float[Tensor, "m 3"],
        density: Float[Tensor, " m"],
        light: Float[Tensor, " m"],
        opacity: Float[Tensor, " m"],
    ) -> None:
        """Records the density, transmittance and opacity (M,) of a step's samples at points (M, 3).

        Random points in a cell often miss a thin wall; the rays that end on it do not.
        """
        cells = self.cells(unit).long()
        met = density * (light * opacity > MET)
        self.density.view(-1).scatter_reduce_(0, cells, met, "amax")
        self.light.view(-1).mul_(LIGHT_FADES).scatter_reduce_(0, cells, light, "amax")

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
