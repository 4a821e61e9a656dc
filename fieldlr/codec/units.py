"""One order and one sign for the hidden units of a network, of all that compute the same.

A hidden unit is a row of its layer and a column of the next. Units may change places, and where
the activation is even or odd they may change their sign, without changing the function. Of the
256! * 2^256 equal layers the file holds the one whose units rise: by their key, the first number of
their row, and where that is equal by their bias. So their order, worth log2(256!) / 8 = 210 bytes,
and their signs, worth 32, are not stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceNerf
from fieldlr.nn.activations import Activation, Gaussian, Sine
from fieldlr.nn.mlp import Mlp

Arrays = dict[str, np.ndarray]

# activation(-z) = sign * activation(z), for those that have such a sign.
SIGNS = {Gaussian: 1, Sine: -1}


@dataclass(frozen=True)
class Hidden:
    """A hidden layer by the names of the linear layers before it and after it."""

    before: str
    after: tuple[str, ...]
    activation: Activation

    @property
    def bias(self) -> str:
        return f"{self.before}.bias"

    def key(self, names: Collection[str]) -> str:
        """The tensor, of those there are, whose first column is the key."""
        factor = f"{self.before}.U"
        return factor if factor in names else f"{self.before}.weight"


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
    key, bias = arrays[hidden.key(arrays)][:, 0], arrays[hidden.bias]
    negative = (key < 0) | ((key == 0) & (bias < 0))
    flip = np.where(negative & (sign is not None), -1, 1)
    order = np.lexsort((bias * flip, key * flip))
    for name in (hidden.key(arrays), hidden.bias):
        arrays[name] = (arrays[name].T * flip).T[order]
    for after in hidden.after:
        factor = f"{after}.V" in arrays
        rows = arrays[f"{after}.V"] if factor else arrays[f"{after}.weight"].T
        # Behind the units there may be inputs that skip the layer.
        units, others = rows[: len(order)], rows[len(order) :]
        if sign == -1:
            units = (units.T * flip).T
        rows = np.concatenate([units[order], others])
        arrays[f"{after}.V" if factor else f"{after}.weight"] = rows if factor else rows.T


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


class Order:
    """Which numbers of which tensors rise, and where they begin anew."""

    def __init__(self, field: Field):
        names = [name for name, _ in field.named_parameters()]
        layers = hidden_layers(field)
        self.keys = {layer.key(names) for layer in layers}
        self.key_of = {layer.bias: layer.key(names) for layer in layers}

    def parts(self, name: str, shape: tuple[int, ...]) -> list[tuple[Any, bool]]:
        """The parts of a tensor that are stored one by one: (index, whether its numbers rise)."""
        if name in self.keys:
            return [(np.s_[:, :1], True), (np.s_[:, 1:], False)][: shape[1]]
        return [(np.s_[...], name in self.key_of)]

    def fresh(self, name: str, arrays: Arrays) -> np.ndarray:
        """Booleans (N,): the numbers of a rising part that need not be above the one before."""
        fresh = np.arange(len(arrays[name])) == 0
        if name in self.key_of:
            key = arrays[self.key_of[name]][:, 0]
            fresh[1:] = key[1:] != key[:-1]
        return fresh
