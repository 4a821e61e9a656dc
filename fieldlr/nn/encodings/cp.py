"""Products of three lines of features, one along each axis."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.nn.encodings.separable import SeparableConfig


@dataclass(frozen=True)
class Cp(SeparableConfig):
    """Features f(x) g(y) h(z), each factor interpolated linearly between the nodes of a line.

    Their sum is the CP decomposition of a volume (Chen et al. 2022, "TensoRF"); here a network
    follows, as in Pashtari et al. 2026, "FUTON", whose size is the default.
    """

    name = "cp"
    number = 5
    summary = "products of three lines of features, one along each axis"
    products = (((0,), (1,), (2,)),)
    start = 0.2

    num_levels: int = 1
    num_channels: int = 128
    coarsest: int = 128
    finest: int = 128
