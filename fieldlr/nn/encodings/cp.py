"""Products of three lines of features, one along each axis."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.nn.encodings.separable import SeparableConfig


@dataclass(frozen=True)
class Cp(SeparableConfig):
    """Features f(x) g(y) h(z) of lines of nodes, interpolated linearly (Chen et al. 2022, "TensoRF").

    The sum over channels is the CP decomposition of a volume; here a network follows instead, as in
    Pashtari et al. 2026, "FUTON", whose size is the default.
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
