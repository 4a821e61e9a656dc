"""Singular values, rank, stable rank and nuclear norm of weight matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import linear_layers

# Functions to use in place of the sine (Ji et al. 2024, equation 3 and figure 3, left).
FUNCTIONS: dict[str, Callable[[Float[Tensor, "out in"]], Float[Tensor, "out in"]]] = {
    "sine": torch.sin,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": lambda x: x,
}


@dataclass(frozen=True)
class Spectrum:
    """The singular value spectrum of a weight matrix."""

    name: str
    weight: Float64[Tensor, "out in"]

    @cached_property
    def singular_values(self) -> Float64[Tensor, " values"]:
        """(min(out, in),), descending."""
        return torch.linalg.svdvals(self.weight)

    @property
    def rank(self) -> int:
        """The number of singular values above the rounding error of a float32 matrix."""
        values = self.singular_values
        tolerance = max(self.weight.shape) * torch.finfo(torch.float32).eps
        return int((values > tolerance * values[0]).sum())

    @property
    def stable_rank(self) -> float:
        """||W||_F^2 / ||W||_2^2: at most the rank, and insensitive to tiny singular values."""
        squares = self.singular_values**2
        return float(squares.sum() / squares[0].clamp_min(1e-300))

    @property
    def nuclear_norm(self) -> float:
        """||W||_*, the sum of the singular values."""
        return float(self.singular_values.sum())

    @property
    def nuclear_bound(self) -> float:
        """The sum of the norms of the columns (or rows, where they are fewer).

        At least the nuclear norm, and equal to it if they are orthogonal. Li et al. 2024, "Large
        language model evaluation via matrix nuclear-norm", use it of activations, and centre them.
        """
        rows, columns = self.weight.shape
        return float(self.weight.norm(dim=0 if columns <= rows else 1).sum())

    def to_json(self) -> dict[str, Any]:
        return {
            "layer": self.name,
            "shape": list(self.weight.shape),
            "rank": self.rank,
            "stable_rank": self.stable_rank,
            "nuclear_norm": self.nuclear_norm,
            "nuclear_bound": self.nuclear_bound,
            "singular_values": self.singular_values.tolist(),
        }


@torch.no_grad()
def layer_spectra(module: nn.Module, function: str | None = None) -> list[Spectrum]:
    """The spectra of all linear layers inside a module, in the order of use.

    With `function`, those of function(omega U V^T) / g for factorised layers, where omega and g are
    1 if a layer has none; dense layers are unchanged.
    """
    if function is not None and function not in FUNCTIONS:
        raise FieldlrError(f"`function` is one of {', '.join(FUNCTIONS)}; got {function}.")
    spectra, chosen = [], torch.sin if function is None else FUNCTIONS[function]
    for name, layer in linear_layers(module):
        weight = layer.dense_weight() if function is None else layer.weight_under(chosen)
        spectra.append(Spectrum(name, weight.double()))
    return spectra
