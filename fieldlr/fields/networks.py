"""Networks of radiance fields: from points and directions to densities and colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.encodings import Frequency, Identity, spherical_harmonics
from fieldlr.nn.encodings.spherical import NUM_HARMONICS
from fieldlr.nn.execution import Layer, encode, fast_format, run_layers
from fieldlr.nn.linears import Full, Linear
from fieldlr.nn.mlp import Hidden, Mlp, engine_layers
from fieldlr.system.registry import Registry

Vectors = Float[Tensor, "n 3"]  # points, directions, colours
Numbers = Float[Tensor, " n"]
Features = Float[Tensor, "n features"]

NUM_FEATURES = 16
COLOR_WIDTH = 64
DIRECTION_FREQUENCIES = 4
# The initial weight of features relative to directions in the colour MLP, for fields without a
# feature grid. With equal weights, view-dependent floaters appear, some for long.
FEATURE_GAIN = 8.0
# The initial log density: a thin haze.
START_LOGIT = -1.0


class RadianceNetwork(nn.Module):
    """Maps points and directions to colours and densities, as an entry of NETWORKS."""

    name: ClassVar[str]
    number: ClassVar[int]  # in .flr files: 0 or 1
    summary: ClassVar[str]
    stages: ClassVar[int] = 1  # networks in a field: 2 for a coarse and a fine one

    @classmethod
    def check(cls, config: FieldConfig) -> None:
        """Raises FieldlrError if the network does not support this config."""

    def density(
        self, unit: Vectors, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Numbers, Features]:
        """Densities (M,) and features (M, F) at points (M, 3) of the unit cube."""
        raise NotImplementedError

    def rough_density(self, unit: Vectors) -> Numbers:
        """Densities (M,) computed in the fast dtype, as in training."""
        return self.density(unit)[0]

    def color(self, features: Features, directions: Vectors) -> Vectors:
        """Colours (M, 3) in [0, 1] of features (M, F) seen along unit directions (M, 3)."""
        raise NotImplementedError

    def forward(
        self,
        unit: Vectors,
        directions: Vectors,
        noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Vectors, Numbers]:
        """Colours (M, 3) and densities (M,)."""
        density, features = self.density(unit, noise, generator)
        return self.color(features, directions), density


class RadianceMlp(RadianceNetwork):
    """Encoding -> MLP -> density and features; features and direction -> small MLP -> colour.

    The architecture of Müller et al. 2022, section 5.4. The density is an exponential, so that
    optimiser steps scale it and it can grow from fog to a wall in a few hundred.
    """

    name = "mlp"
    number = 0
    summary = "an encoding and one MLP; a small MLP for the colour"

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
        if config.is_pure_mlp:
            with torch.no_grad():
                self.head.get_parameter("linears.0.weight")[:, :NUM_FEATURES] *= FEATURE_GAIN

    def density(
        self, unit: Vectors, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Numbers, Features]:
        features = self.trunk(encode(self.encoding, unit))
        return _density_of(add_noise(features[:, 0], noise, generator)), features

    def rough_density(self, unit: Vectors) -> Numbers:
        fast = fast_format(unit.device.type)
        return _density_of(self.trunk(encode(self.encoding, unit), fast)[:, 0])

    def color(self, features: Features, directions: Vectors) -> Vectors:
        inputs = torch.cat([features, spherical_harmonics(directions)], -1)
        return torch.sigmoid(self.head(inputs))


def _density_of(logit: Numbers) -> Numbers:
    return torch.exp((logit + START_LOGIT).clamp(-12.0, 12.0))


class RadianceNerf(RadianceNetwork):
    """The original network (Mildenhall et al. 2020, figure 7), all layers of the backbone.

    As in the paper's tables, a layer that factors would not make smaller is dense. The density is
    a softplus instead of the original's ReLU, whose dead half makes some fits all black.
    """

    name = "nerf"
    number = 1
    summary = "the original NeRF: eight layers with a skip, twice"
    stages = 2

    @classmethod
    def check(cls, config: FieldConfig) -> None:
        if config.width < 2:
            raise FieldlrError(
                "the original NeRF ends in a layer of half its width, so its width is at least 2; "
                f"got `width` {config.width}. Use 256."
            )

    def __init__(self, config: FieldConfig, generator: torch.Generator | None):
        super().__init__()
        self.config = config
        self.encoding = config.encoding.build(3, generator)
        plain = config.encoding.name == Identity.name
        self.direction_encoding = (Identity() if plain else Frequency(DIRECTION_FREQUENCIES)).build(
            3
        )
        width, inputs = config.width, self.encoding.out_features

        def layer(inputs: int, outputs: int, first: bool = False) -> Linear:
            std = config.activation.weight_std(inputs, first=first)
            return config.linear.build(inputs, outputs, generator=generator, std=std)

        trunk = [
            layer(width + inputs * (index in config.skips) if index else inputs, width, index == 0)
            for index in range(config.depth + 1)
        ]
        # torch does not type the elements of a ModuleList.
        self.trunk = cast("Sequence[Linear]", nn.ModuleList(trunk))
        self.sigma = config.linear.build(width, 1, generator=generator)
        self.features = config.linear.build(width, width, generator=generator)
        self.view = layer(width + self.direction_encoding.out_features, width // 2)
        self.rgb = config.linear.build(width // 2, 3, generator=generator)

    def density(
        self, unit: Vectors, noise: float = 0.0, generator: torch.Generator | None = None
    ) -> tuple[Numbers, Features]:
        hidden = run_layers(self.trunk_layers(), encode(self.encoding, unit))
        logit = run_layers(engine_layers(self.sigma), hidden)[:, 0]
        return functional.softplus(add_noise(logit, noise, generator) - 1.0), hidden

    def color(self, features: Features, directions: Vectors) -> Vectors:
        bottleneck = run_layers(engine_layers(self.features), features)
        inputs = torch.cat([bottleneck, self.direction_encoding(directions)], -1)
        layers = [*engine_layers(self.view, self.config.activation), *engine_layers(self.rgb)]
        return torch.sigmoid(run_layers(layers, inputs))

    def hidden_layers(self, name: str) -> Iterator[Hidden]:
        """Its hidden layers; `name` is that of this network within the field."""
        trunk = [(f"{name}.trunk.{index}", layer) for index, layer in enumerate(self.trunk)]
        ends = ((f"{name}.sigma", self.sigma), (f"{name}.features", self.features))
        after = [*((layer,) for layer in trunk[1:]), ends]
        for (before, layer), following in zip(trunk, after, strict=True):
            yield Hidden(before, layer, following, self.config.activation)
        after_view = ((f"{name}.rgb", self.rgb),)
        yield Hidden(f"{name}.view", self.view, after_view, self.config.activation)

    def trunk_layers(self) -> list[Layer]:
        """The layers shared by density and colour."""
        return [
            layer
            for index, linear in enumerate(self.trunk)
            for layer in engine_layers(linear, self.config.activation, index in self.config.skips)
        ]


def add_noise(logit: Numbers, noise: float, generator: torch.Generator | None) -> Numbers:
    """Logits (M,) with Gaussian noise, which prevents fog (Mildenhall et al. 2020, appendix A)."""
    if noise == 0.0:
        return logit
    drawn = torch.randn(logit.shape, generator=generator)
    return logit + noise * drawn.to(logit.device)


NETWORKS: Registry[type[RadianceNetwork]] = Registry("network", RadianceMlp, RadianceNerf)
