"""Radiance fields: a density everywhere and a colour in every direction."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.encodings import Frequency, Identity, spherical_harmonics
from fieldlr.nn.encodings.spherical import NUM_HARMONICS
from fieldlr.nn.execution import Layer, encode, run_layers
from fieldlr.nn.linears import Full
from fieldlr.nn.mlp import Mlp, engine_layers

NUM_FEATURES = 16
COLOR_WIDTH = 64
DIRECTION_FREQUENCIES = 4
# What the features are louder by, beside directions, as a colour starts out from both, where an MLP
# holds the scene alone. Where both are as loud, views grow fog of their own, some for long.
FEATURE_GAIN = 8.0
GRID_CELLS = 64
# The logarithm of the density that an exponential starts with: a light haze.
START_LOGIT = -1.0
# The density, per unit of the cube, at which a surface is drawn unless a user says otherwise:
# half of the light is gone after a 70th of the cube's edge.
SURFACE_DENSITY = 25.0
# The level at most of a point in a cell that rendering skips; there a ray loses 1 % of its light.
EMPTY_LEVEL = -4.0


def cell_indices(unit: Tensor, cells: int) -> Tensor:
    """Flat indices (...), x fastest, of the cells that points (..., 3) of the cube lie in."""
    cell = ((unit + 1.0) * (0.5 * cells)).int().clamp_(0, cells - 1)
    x, y, z = cell.unbind(-1)
    return x + cells * (y + cells * z)


class RadianceField(Field):
    """(points, directions) to (rgb, density), by one network or by a coarse and a fine one.

    Densities are per unit of the cube of `space` (`Space.lengths`).
    """

    def __init__(
        self,
        config: FieldConfig,
        space: Space,
        frame: Similarity | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__(config, space, frame or Similarity())
        kind = NETWORKS[config.network]
        self.networks = nn.ModuleList(kind(config, generator) for _ in range(kind.stages))
        # The occupancy grid that rendering keeps (`rendering.OccupancyGrid`): at first all of it.
        cells = (GRID_CELLS,) * 3
        self.register_buffer("cell_density", torch.zeros(cells))
        self.register_buffer("cell_occupied", torch.ones(cells, dtype=torch.bool))
        # Steps taken and samples a ray took in the last one: a resumed fit goes on from them.
        self.register_buffer("training_state", torch.zeros(2))

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Densities (M,) and the features (M, F) that colours are made of, at points (M, 3)."""
        return self.networks[-1].density(self.space.warp(points))

    def forward(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Colours (M, 3) in [0, 1] and densities (M,) at points seen along unit directions."""
        return self.networks[-1](self.space.warp(points), directions)

    def level(self, points: Tensor) -> Tensor:
        """log(density / SURFACE_DENSITY) at points (M, 3), nowhere inside where rendering skips."""
        unit = self.space.warp(points)
        density = self.networks[-1].density(unit)[0]
        level = torch.log(density.clamp_min(1e-12) / SURFACE_DENSITY)
        # Nothing trains what rays no longer see, and there it may become anything.
        kept = self.cell_occupied.view(-1)[cell_indices(unit, GRID_CELLS)]
        return torch.where(kept, level, level.clamp_max(EMPTY_LEVEL))

    def level_of(self, threshold: float | None) -> float:
        """The level of a surface drawn at a density, by default SURFACE_DENSITY."""
        if threshold is None:
            return 0.0
        if not 0.0 < threshold < math.inf:
            raise FieldlrError(
                f"the threshold of a radiance field is a density above 0; got {threshold}. Leave "
                f"--threshold out for {SURFACE_DENSITY:g}."
            )
        return math.log(threshold / SURFACE_DENSITY)


class RadianceMlp(nn.Module):
    """Encoding -> MLP -> density and features; with the direction -> a small MLP -> colour.

    The shape of Müller et al. 2022, section 5.4. The density is an exponential: a step of the
    optimiser scales it, from fog to a wall in a few hundred steps.
    """

    stages = 1

    def __init__(self, config: FieldConfig, generator: torch.Generator | None):
        super().__init__()
        self.encoding = config.encoding.build(3, generator)
        self.trunk = Mlp(
            self.encoding.out_features,
            NUM_FEATURES,
            linear=config.linear,
            activation=config.activation,
            width=config.width,
            depth=config.depth,
            skips=config.skips,
            generator=generator,
        )
        self.head = Mlp(
            NUM_FEATURES + NUM_HARMONICS,
            3,
            linear=Full(),
            activation=config.activation,
            width=COLOR_WIDTH,
            depth=0,
            generator=generator,
        )
        if config.alone:
            with torch.no_grad():
                self.head.linears[0].weight[:, :NUM_FEATURES] *= FEATURE_GAIN

    def density(
        self, unit: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Densities (M,) and features (M, F) at points (M, 3) of the cube."""
        features = self.trunk(encode(self.encoding, unit))
        logit = noisy(features[:, 0], noise, generator)
        return torch.exp((logit + START_LOGIT).clamp(-12.0, 12.0)), features

    def color(self, features: Tensor, directions: Tensor) -> Tensor:
        """Colours (M, 3) in [0, 1]."""
        inputs = torch.cat([features, spherical_harmonics(directions)], -1)
        return torch.sigmoid(self.head(inputs))

    def forward(
        self,
        unit: Tensor,
        directions: Tensor,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Colours (M, 3) and densities (M,)."""
        density, features = self.density(unit, noise, generator)
        return self.color(features, directions), density


class RadianceNerf(nn.Module):
    """The original network (Mildenhall et al. 2020, figure 7), every layer of the kind `linear`.

    Counted as the paper's tables do, a layer that two factors would not make smaller is dense.
    The density is a softplus where the original has a ramp, whose dead half makes black runs.
    """

    stages = 2

    def __init__(self, config: FieldConfig, generator: torch.Generator | None):
        super().__init__()
        self.config = config
        self.encoding = config.encoding.build(3, generator)
        plain = isinstance(config.encoding, Identity)
        self.direction_encoding = (Identity() if plain else Frequency(DIRECTION_FREQUENCIES)).build(
            3
        )
        width, inputs = config.width, self.encoding.out_features

        def layer(inputs: int, outputs: int, first: bool = False) -> nn.Module:
            std = config.activation.weight_std(inputs, first=first)
            return config.linear.build(inputs, outputs, generator=generator, std=std)

        self.trunk = nn.ModuleList([layer(inputs, width, first=True)])
        for index in range(1, config.depth + 1):
            self.trunk.append(layer(width + inputs * (index in config.skips), width))
        self.sigma = config.linear.build(width, 1, generator=generator)
        self.features = config.linear.build(width, width, generator=generator)
        self.view = layer(width + self.direction_encoding.out_features, width // 2)
        self.rgb = config.linear.build(width // 2, 3, generator=generator)

    def density(
        self, unit: Tensor, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Densities (M,) and features (M, width) at points (M, 3) of the cube."""
        hidden = run_layers(self._trunk_layers(), encode(self.encoding, unit))
        logit = run_layers(engine_layers(self.sigma), hidden)[:, 0]
        return functional.softplus(noisy(logit, noise, generator) - 1.0), hidden

    def color(self, features: Tensor, directions: Tensor) -> Tensor:
        """Colours (M, 3) in [0, 1]."""
        bottleneck = run_layers(engine_layers(self.features), features)
        inputs = torch.cat([bottleneck, self.direction_encoding(directions)], -1)
        layers = [*engine_layers(self.view, self.config.activation), *engine_layers(self.rgb)]
        return torch.sigmoid(run_layers(layers, inputs))

    forward = RadianceMlp.forward

    def _trunk_layers(self) -> list[Layer]:
        return [
            layer
            for index, linear in enumerate(self.trunk)
            for layer in engine_layers(linear, self.config.activation, index in self.config.skips)
        ]


def noisy(logit: Tensor, noise: float, generator: torch.Generator | None) -> Tensor:
    """Logits (M,) with Gaussian noise, against fog (Mildenhall et al. 2020, appendix A)."""
    if noise == 0.0:
        return logit
    drawn = torch.randn(logit.shape, generator=generator)
    return logit + noise * drawn.to(logit.device)


NETWORKS = {"mlp": RadianceMlp, "nerf": RadianceNerf}
