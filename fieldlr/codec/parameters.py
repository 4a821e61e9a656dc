"""Coding of a field's parameters: a step and a model for every tensor, then all symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.codec.ans import Coded, FastDecoder, PlainDecoder
from fieldlr.codec.byte_io import Reader, Writer, corrupt
from fieldlr.codec.levels import Level, stepped
from fieldlr.codec.quantisation import dequantise, quantise
from fieldlr.codec.tables import cost_bits
from fieldlr.codec.tensors import (
    MAX_ABS,
    Model,
    fit_model,
    read_integers,
    read_model,
    write_model,
)
from fieldlr.codec.units import Order, hidden_layers, sort_units
from fieldlr.fields.field import Field

Parts = list[tuple[Any, Model]]  # (index, model) of each part of a tensor
Levels = Mapping[str, Level]  # of tables, by their names in `stepped`


def write_parameters(
    writer: Writer, field: Field, steps: Mapping[str, int], levels: Levels
) -> list[Coded]:
    """Writes the step and the models of every tensor; returns their symbols."""
    integers = {name: quantise(p, steps[name]) for name, p in stepped(field).items()}
    for layer in hidden_layers(field):
        sort_units(layer, integers)
    order, coded = Order(field), []
    for name, values in integers.items():
        writer.byte(steps[name])
        if name in levels:
            values = levels[name].coded(values)
        for index, ascending in order.parts(name, values.shape):
            restarts = order.restarts(name, integers) if ascending else None
            model, own = fit_model(values[index].ravel(), restarts)
            write_model(writer, model)
            coded += own
    return coded


def read_models(
    reader: Reader, tensors: Mapping[str, Float[Tensor, " ..."]], order: Order
) -> dict[str, tuple[int, Parts]]:
    """(step byte, models of the parts) of every tensor."""
    models = {}
    for name, tensor in tensors.items():
        step = reader.byte()
        parts = order.parts(name, tuple(tensor.shape))
        models[name] = step, [(index, read_model(reader, ascending)) for index, ascending in parts]
    return models


@torch.no_grad()
def read_parameters(
    coder: FastDecoder | PlainDecoder,
    tensors: Mapping[str, Float[Tensor, " ..."]],
    order: Order,
    models: dict[str, tuple[int, Parts]],
    levels: Levels,
) -> None:
    """Decodes tensors in place."""
    integers: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        step, parts = models[name]
        shape = tuple(tensor.shape)
        if name in levels:
            shape = (int(levels[name].read.sum()), *shape[1:])
        integers[name] = np.zeros(shape, np.int64)
        for index, model in parts:
            part = integers[name][index]
            restarts = order.restarts(name, integers) if model.ascending else None
            values = read_integers(coder, model, part.size, restarts)
            integers[name][index] = values.reshape(part.shape)
        whole = levels[name].decoded(integers[name]) if name in levels else integers[name]
        if np.abs(whole).max(initial=0) > MAX_ABS:
            raise corrupt(f"an integer exceeds {MAX_ABS}")
        tensor.copy_(dequantise(whole, step))


def num_bits(field: Field, steps: Mapping[str, int], levels: Levels) -> float:
    """The size of the coded parameters and of their models, in bits."""
    writer = Writer()
    coded = write_parameters(writer, field, steps, levels)
    costs = (cost_bits(np.bincount(own, minlength=len(table)), table) for own, table in coded)
    return 8.0 * len(writer.data) + float(sum(costs))
