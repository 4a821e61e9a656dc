"""Products of a plane of features and the line across it, for each of three planes."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.nn.encodings.separable import SeparableConfig


@dataclass(frozen=True)
class Vm(SeparableConfig):
    """Features f(x, y) g(z), and likewise for x, z and y, z (Chen et al. 2022, "TensoRF", VM)."""

    name = "vm"
    number = 6
    summary = "products of planes of features with the lines across them"
    products = (((0, 1), (2,)), ((0, 2), (1,)), ((1, 2), (0,)))
    start = 0.1

    num_levels: int = 1
    num_channels: int = 16
    coarsest: int = 64
    finest: int = 64
