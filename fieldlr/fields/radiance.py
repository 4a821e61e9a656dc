"""Radiance fields: a density everywhere and a colour in every direction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fieldlr.errors import FieldlrError
from fieldlr.fields.asked import gradients_of, vectors
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import POINTS_AT_ONCE, Field
from fieldlr.fields.networks import NETWORKS, RadianceNetwork
from fieldlr.geometry.arrays import ArrayLike
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space

GRID_CELLS = 64
# The initial light of a cell, before a ray has passed through it.
FIRST_LIGHT = 0.1
# The default density of the surface, per unit of the cube: half of the light is absorbed within a
# 70th of the cube's edge.
SURFACE_DENSITY = 25.0
# The largest level in a cell that rendering skips: that of 1 % absorption per cell.
EMPTY_LEVEL = -4.0


def cell_indices(unit: Float[Tensor, "*batch 3"], cells: int) -> Int[Tensor, "*batch"]:
    """Flat indices (...), x fastest, of the cells that points (..., 3) of the cube lie in."""
    cell = ((unit + 1.0) * (0.5 * cells)).int().clamp_(0, cells - 1)
    x, y, z = cell.unbind(-1)
    return x + cells * (y + cells * z)


def _add_missing_light(field: nn.Module, tensors: dict[str, Any], prefix: str, *_: Any) -> None:
    """Sets full light in checkpoints from before `cell_light` existed."""
    tensors.setdefault(f"{prefix}cell_light", torch.ones((GRID_CELLS,) * 3))


class RadianceField(Field):
    """A density and a colour everywhere, by one network or by a coarse and a fine one.

    `query` takes and gives a user's coordinates and units. `density`, `radiance` and `level` are
    in the field's own frame, with densities per unit of the cube of `space` (`Space.lengths`).
    """

    name = "radiance"
    summary = "a scene: a density everywhere and a colour in every direction"

    # The occupancy grid (`rendering.OccupancyGrid`), initially all occupied. Per cell: the
    # density, the light that reaches it, and whether rendering evaluates it.
    cell_density: Float[Tensor, "cells cells cells"]
    cell_light: Float[Tensor, "cells cells cells"]
    cell_occupied: Bool[Tensor, "cells cells cells"]
    # Steps taken, and samples per ray in the last one, needed to resume a fit.
    training_state: Float[Tensor, " 2"]

    def __init__(
        self,
        config: FieldConfig,
        space: Space,
        frame: Similarity | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__(config, space, frame)
        kind = NETWORKS[config.network]
        kind.check(config)
        networks = nn.ModuleList(kind(config, generator) for _ in range(kind.stages))
        # torch does not type the elements of a ModuleList.
        self.networks = cast("Sequence[RadianceNetwork]", networks)
        cells = (GRID_CELLS,) * 3
        self.register_buffer("cell_density", torch.ones(cells))
        self.register_buffer("cell_light", torch.full(cells, FIRST_LIGHT))
        self.register_buffer("cell_occupied", torch.ones(cells, dtype=torch.bool))
        self.register_buffer("training_state", torch.zeros(2))
        self.register_load_state_dict_pre_hook(_add_missing_light)

    def density(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n features"]]:
        """Densities (M,) and features (M, F) for `color` at points (M, 3)."""
        return self.networks[-1].density(self.space.contract(points))

    def radiance(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
        """Colours (M, 3) in [0, 1] and densities (M,) at points in unit viewing directions."""
        return self.networks[-1](self.space.contract(points), directions)

    def level(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """log(density / SURFACE_DENSITY) at points (M, 3), negative in skipped cells."""
        unit = self.space.contract(points)
        density = self.networks[-1].density(unit)[0]
        level = torch.log(density.clamp_min(1e-12) / SURFACE_DENSITY)
        return torch.where(self._kept(unit), level, level.clamp_max(EMPTY_LEVEL))

    def _kept(self, unit: Tensor) -> Tensor:
        """Which points of the cube rendering does not skip.

        Nothing trains what rays no longer see, and there it may become anything.
        """
        return self.cell_occupied.view(-1)[cell_indices(unit, GRID_CELLS)]

    def query(
        self, points: ArrayLike, directions: ArrayLike
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
        """(density (...), colour (..., 3)) of points (..., 3) seen along directions (..., 3).

        Points are in the coordinates of the photos' cameras, and directions in their axes, from
        the eye to the point, of any length. Both broadcast: one direction serves many points. The
        density is per unit of that length: over a short piece of a ray of length d, a share
        1 - exp(-density d) of the light is stopped. Colours are in [0, 1]. Where rendering skips
        the field, and outside of its box, the density is 0. `fieldlr.render(field.query, ...)`
        renders what this gives.
        """
        given, towards = vectors("points", points), vectors("directions", directions)
        try:
            shape = torch.broadcast_shapes(given.shape, towards.shape)
        except RuntimeError:
            raise FieldlrError(
                "`points` and `directions` have one shape, or shapes that broadcast; got "
                f"{tuple(given.shape)} and {tuple(towards.shape)}."
            ) from None
        asked = self._asked(given.expand(shape))
        rotation = torch.tensor(self.frame.rotation, dtype=torch.float64)
        turned = towards.expand(shape).reshape(-1, 3).to(rotation) @ rotation
        along = nn.functional.normalize(turned, dim=-1).to(asked.internal)
        pairs = zip(asked.internal.split(POINTS_AT_ONCE), along.split(POINTS_AT_ONCE), strict=True)
        with gradients_of(points):
            parts = zip(*(self.radiance(*pair) for pair in pairs), strict=True)
            rgb, density = map(torch.cat, parts)
            density = density * self.space.stretch(asked.internal, along) / self.frame.scale
            density = density * self._kept(self.space.contract(asked.internal))
            return asked.answer(self._bounded(density, asked.internal)), asked.answer(rgb)

    def value_of(self, level: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The density of a level, per unit of the cube."""
        return SURFACE_DENSITY * torch.exp(level)

    def level_of(self, threshold: float | None) -> float:
        """The isovalue for a density threshold, by default SURFACE_DENSITY."""
        if threshold is None:
            return 0.0
        if not 0.0 < threshold < math.inf:
            raise FieldlrError(
                f"the threshold of a radiance field is a density above 0; got {threshold}. Leave "
                f"`threshold` out for {SURFACE_DENSITY:g}."
            )
        return math.log(threshold / SURFACE_DENSITY)
