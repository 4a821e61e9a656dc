"""One order and one sign for the hidden units of a network, of all that compute the same.

A hidden unit is a row of its layer and a column of the next. Units may change places, and where
the activation is even or odd they may change their sign, without changing the function. Of the
256! * 2^256 equal layers the file holds the one whose keys rise (from 0, where signs are free), the
key of a unit being its first number in U, or its bias where the layer is dense. The order of 256
units is worth log2(256!) / 8 = 210 bytes at most, and their signs 32 more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fieldlr.activations import Activation, Gaussian, Sine
from fieldlr.fields.field import Field
from fieldlr.fields.mlp import Mlp
from fieldlr.fields.radiance import RadianceNerf

Arrays = dict[str, np.ndarray]

# activation(-z) = sign * activation(z), for those that have such a sign.
SIGNS = {Gaussian: 1, Sine: -1}


@dataclass(frozen=True)
class Hidden:
    """A hidden layer by the names of the linear layers before it and after it."""

    before: str
    after: tuple[str, ...]
    activation: Activation

    def key(self, names: Collection[str]) -> str:
        """The tensor, of those there are, whose first column rises: U, else the bias.

        Every number of U is more sensitive than one of the bias, so it has more bits to save.
        """
        factor = f"{self.before}.U"
        return factor if factor in names else f"{self.before}.bias"


def hidden_layers(field: Field) -> list[Hidden]:
    """The hidden layers of a field, in an order in which they can be sorted one by one."""
    return [
        hidden
        for name, module in field.named_modules()
        for kind, layers in KINDS.items()
        if isinstance(module, kind)
        for hidden in layers(name, module)
    ]


def sort_units(hidden: Hidden, arrays: Arrays) -> None:
    """Gives the units of one hidden layer their order and signs, in place."""
    sign = SIGNS.get(type(hidden.activation))
    column = arrays[hidden.key(arrays)].reshape(len(arrays[f"{hidden.before}.bias"]), -1)[:, 0]
    flip = np.where((column < 0) & (sign is not None), -1, 1)
    order = np.argsort(column * flip, kind="stable")
    for name in _existing(arrays, *(f"{hidden.before}.{part}" for part in ("weight", "U", "bias"))):
        rows = arrays[name]
        arrays[name] = (rows.T * flip).T[order]
    for after in hidden.after:
        for name in _existing(arrays, f"{after}.weight", f"{after}.V"):
            rows = arrays[name] if name.endswith(".V") else arrays[name].T
            # What follows are inputs that skip the layer.
            units, others = rows[: len(order)], rows[len(order) :]
            if sign == -1:
                units = (units.T * flip).T
            rows = np.concatenate([units[order], others])
            arrays[name] = rows if name.endswith(".V") else rows.T


def _existing(arrays: Arrays, *names: str) -> list[str]:
    return [name for name in names if name in arrays]


def _of_mlp(name: str, mlp: Mlp) -> Iterator[Hidden]:
    layers = [f"{name}.linears.{index}" for index in range(len(mlp.linears))]
    for before, after in pairwise(layers):
        yield Hidden(before, (after,), mlp.activation)


def _of_nerf(name: str, nerf: RadianceNerf) -> Iterator[Hidden]:
    trunk = [f"{name}.trunk.{index}" for index in range(len(nerf.trunk))]
    after = [*((layer,) for layer in trunk[1:]), (f"{name}.sigma", f"{name}.features")]
    for before, following in zip(trunk, after, strict=True):
        yield Hidden(before, following, nerf.config.activation)
    yield Hidden(f"{name}.view", (f"{name}.rgb",), nerf.config.activation)


KINDS = {Mlp: _of_mlp, RadianceNerf: _of_nerf}


def columns(name: str, shape: tuple[int, ...], keys: Collection[str]) -> list[tuple[Any, bool]]:
    """The parts of a tensor that are stored one by one: (index, whether its numbers rise)."""
    if name not in keys:
        return [(np.s_[...], False)]
    if len(shape) == 1:
        return [(np.s_[...], True)]
    return [(np.s_[:, :1], True), (np.s_[:, 1:], False)][: shape[1]]
