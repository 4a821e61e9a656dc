"""Initial parameters, drawn at random.

On the meta device, where parameters are only counted, nothing is computed: arithmetic and normal
distributions there load torch's compiler, which takes seconds.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import nn

Shape = int | tuple[int, ...]


def uniform(
    shape: Shape, bound: float, generator: torch.Generator | None
) -> Float[nn.Parameter, " ..."]:
    """A parameter drawn from U(-bound, bound)."""
    drawn = torch.rand(shape, generator=generator)
    return nn.Parameter(drawn if drawn.is_meta else (drawn * 2.0 - 1.0) * bound)


def normal(
    shape: Shape, std: float, generator: torch.Generator | None
) -> Float[nn.Parameter, " ..."]:
    """A parameter drawn from N(0, std^2)."""
    drawn = torch.empty(shape)
    return nn.Parameter(drawn if drawn.is_meta else torch.randn(shape, generator=generator) * std)
