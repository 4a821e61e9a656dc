"""Points and directions as users give them: any array whose last axis is 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Num, Shaped
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.geometry.arrays import ArrayLike


@dataclass(frozen=True)
class Asked:
    """What a user asks about: points (n, 3) in the field's frame, and how they were given."""

    internal: Float[Tensor, "n 3"]
    shape: torch.Size  # of the answer: that of the points, without the last axis
    device: torch.device

    def answer(self, values: Shaped[Tensor, "*values"]) -> Shaped[Tensor, "*batch"]:
        """Values of the points, in the shape and on the device of the question."""
        return values.reshape(self.shape + values.shape[1:]).to(self.device)


def gradients_of(given: ArrayLike) -> Any:
    """A context in which gradients are recorded only where tensors are asked about.

    The answer to an array is an array: with a graph behind it numpy would refuse it.
    """
    return torch.set_grad_enabled(torch.is_grad_enabled() and isinstance(given, Tensor))


def vectors(name: str, given: ArrayLike) -> Num[Tensor, "*batch 3"]:
    """Points or directions (..., 3) as a tensor; FieldlrError says the shape of anything else."""
    values: Any = given
    try:
        if not isinstance(given, Tensor):
            values = torch.from_numpy(np.asarray(given, np.float64))
    except (ValueError, TypeError):
        raise FieldlrError(
            f"`{name}` is an array of numbers of shape (3,) or (..., 3); got {str(given)[:60]}."
        ) from None
    if not values.ndim or values.shape[-1] != 3 or values.is_complex():
        raise FieldlrError(
            f"`{name}` has shape (3,) or (..., 3): x, y and z along the last axis; got "
            f"{tuple(values.shape)}."
        )
    return values
