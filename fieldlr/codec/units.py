"""One order and one sign for the hidden units of a network, of all that compute the same.

A hidden unit is a row of its layer and a column of the next. Units may change places, and where
the activation is even or odd they may change their sign, without changing the function. Of the
256! * 2^256 equal layers the file holds the one whose units rise: by their key, the first entry of
their row, and where that is equal by their bias. So their order, worth log2(256!) / 8 = 210 bytes,
and their signs, worth 32, are not stored. A layer says itself which axes its units are (`Units`);
where one has none, the layers beside it keep their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from fieldlr.fields.field import Field
from fieldlr.nn.mlp import Hidden

Arrays = dict[str, Int[np.ndarray, "..."]]


@runtime_checkable
class Layered(Protocol):
    """A module that says what its hidden layers are."""

    def hidden_layers(self, name: str) -> Iterator[Hidden]: ...


def hidden_layers(field: Field) -> list[Hidden]:
    """The hidden layers whose units can be sorted, in an order in which they can, one by one."""
    found = [
        hidden
        for name, module in field.named_modules()
        if isinstance(module, Layered)
        for hidden in module.hidden_layers(name)
    ]
    return [h for h in found if h.before.units.outputs and all(a.units.inputs for _, a in h.after)]


def key_of(hidden: Hidden) -> str:
    """The tensor whose first column is the key of the units."""
    return f"{hidden.name}.{next(iter(hidden.before.units.outputs))}"


def bias_of(hidden: Hidden) -> str:
    """The tensor with the biases of the units."""
    return f"{hidden.name}.bias"


def sort_units(hidden: Hidden, arrays: Arrays) -> None:
    """Gives the units of one hidden layer their order and signs, in place."""
    parity = hidden.activation.parity
    outputs = {f"{hidden.name}.{k}": axis for k, axis in hidden.before.units.outputs.items()}
    key, bias = arrays[key_of(hidden)][:, 0], arrays[bias_of(hidden)]
    negative = (key < 0) | ((key == 0) & (bias < 0))
    flip = np.where(negative & (parity is not None), -1, 1)
    order = np.lexsort((bias * flip, key * flip))
    for name, axis in {**outputs, bias_of(hidden): 0}.items():
        signs = flip if name in (key_of(hidden), bias_of(hidden)) else 1
        units = np.moveaxis(arrays[name], axis, 0)
        arrays[name] = np.moveaxis((units.T * signs).T[order], 0, axis)
    for after, layer in hidden.after:
        for index, (name, axis) in enumerate(layer.units.inputs.items()):
            signs = flip if parity == -1 and index == 0 else np.ones_like(flip)
            rows = np.moveaxis(arrays[f"{after}.{name}"], axis, 0)
            # Behind the units there may be inputs that skip the layer.
            units, others = (rows[: len(order)].T * signs).T, rows[len(order) :]
            moved = np.concatenate([units[order], others])
            arrays[f"{after}.{name}"] = np.moveaxis(moved, 0, axis)


class Order:
    """Which entries of which tensors rise, and where they begin anew."""

    def __init__(self, field: Field):
        layers = hidden_layers(field)
        self.keys = {key_of(layer) for layer in layers}
        self.key_of = {bias_of(layer): key_of(layer) for layer in layers}

    def parts(self, name: str, shape: tuple[int, ...]) -> list[tuple[Any, bool]]:
        """The parts of a tensor that are stored one by one: (index, whether its entries rise)."""
        if name in self.keys:
            return [(np.s_[:, :1], True), (np.s_[:, 1:], False)][: shape[1]]
        return [(np.s_[...], name in self.key_of)]

    def fresh(self, name: str, arrays: Arrays) -> Bool[np.ndarray, " n"]:
        """Booleans (N,): the entries of a rising part that need not be above the one before."""
        fresh = np.arange(len(arrays[name])) == 0
        if name in self.key_of:
            key = arrays[self.key_of[name]][:, 0]
            fresh[1:] = key[1:] != key[:-1]
        return fresh
