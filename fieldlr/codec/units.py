"""Canonical order and signs of hidden units, which need not be stored.

A hidden unit is a row of its layer and a column of the next. Permuting units, and flipping their
signs where the activation is even or odd, does not change the function. Of the 256! * 2^256
equivalent layers the file holds the one whose units ascend by their key, the first entry of their
row, and by their bias where keys are equal. This saves the order, log2(256!) / 8 = 210 bytes, and
the signs, 32. A layer declares which axes its units are (`Units`); where one has none, the layers
beside it keep their order.
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
    """A module that lists its hidden layers."""

    def hidden_layers(self, name: str) -> Iterator[Hidden]: ...


def hidden_layers(field: Field) -> list[Hidden]:
    """The hidden layers whose units can be sorted, in the order to sort them."""
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
    """Brings the units of one hidden layer into canonical order and sign, in place."""
    parity = hidden.activation.parity
    # A unit's row changes its sign, and behind an odd activation so do its columns.
    changed = [hidden.before, *(layer for _, layer in hidden.after if parity == -1)]
    flips = parity is not None and all(layer.units.signs for layer in changed)
    outputs = {f"{hidden.name}.{k}": axis for k, axis in hidden.before.units.outputs.items()}
    key, bias = arrays[key_of(hidden)][:, 0], arrays[bias_of(hidden)]
    negative = (key < 0) | ((key == 0) & (bias < 0))
    flip = np.where(negative & flips, -1, 1)
    order = np.lexsort((bias * flip, key * flip))
    for name, axis in {**outputs, bias_of(hidden): 0}.items():
        signs = flip if name in (key_of(hidden), bias_of(hidden)) else 1
        units = np.moveaxis(arrays[name], axis, 0)
        arrays[name] = np.moveaxis((units.T * signs).T[order], 0, axis)
    for after, layer in hidden.after:
        for index, (name, axis) in enumerate(layer.units.inputs.items()):
            signs = flip if parity == -1 and index == 0 else np.ones_like(flip)
            rows = np.moveaxis(arrays[f"{after}.{name}"], axis, 0)
            # Behind the units there may be skip inputs.
            units, others = (rows[: len(order)].T * signs).T, rows[len(order) :]
            moved = np.concatenate([units[order], others])
            arrays[f"{after}.{name}"] = np.moveaxis(moved, 0, axis)


class Order:
    """Which tensors have ascending entries, and where ascending runs begin."""

    def __init__(self, field: Field):
        layers = hidden_layers(field)
        self.keys = {key_of(layer) for layer in layers}
        self.key_of = {bias_of(layer): key_of(layer) for layer in layers}

    def parts(self, name: str, shape: tuple[int, ...]) -> list[tuple[Any, bool]]:
        """The separately coded parts of a tensor: (index, whether its entries ascend)."""
        if name in self.keys:
            return [(np.s_[:, :1], True), (np.s_[:, 1:], False)][: shape[1]]
        return [(np.s_[...], name in self.key_of)]

    def restarts(self, name: str, arrays: Arrays) -> Bool[np.ndarray, " n"]:
        """Booleans (N,): the entries of an ascending part at which a new run begins."""
        restarts = np.arange(len(arrays[name])) == 0
        if name in self.key_of:
            key = arrays[self.key_of[name]][:, 0]
            restarts[1:] = key[1:] != key[:-1]
        return restarts
