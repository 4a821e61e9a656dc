"""The numbers of a field: a step and a model of every tensor, and the symbols of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fieldlr.codec.ans import Coded, FastUnpacker, PlainUnpacker
from fieldlr.codec.octets import Reader, Writer
from fieldlr.codec.steps import restored, rounded
from fieldlr.codec.tables import cost_bits
from fieldlr.codec.tensors import Model, modelled, read_model, read_whole, write_model
from fieldlr.codec.units import Order, hidden_layers, sort_units
from fieldlr.fields.field import Field

Parts = list[tuple[Any, Model]]  # (index, model) of each part of a tensor


def write_numbers(writer: Writer, field: Field, steps: Mapping[str, int]) -> list[Coded]:
    """Writes a step and the models of every tensor; gives their symbols."""
    whole = {name: rounded(p, steps[name]) for name, p in field.named_parameters()}
    for layer in hidden_layers(field):
        sort_units(layer, whole)
    order, coded = Order(field), []
    for name, values in whole.items():
        writer.byte(steps[name])
        for index, rises in order.parts(name, values.shape):
            fresh = order.fresh(name, whole) if rises else None
            model, own = modelled(values[index].ravel(), fresh)
            write_model(writer, model)
            coded += own
    return coded


def read_models(reader: Reader, field: Field, order: Order) -> dict[str, tuple[int, Parts]]:
    """(the step's byte, the models of the parts) of every tensor."""
    models = {}
    for name, parameter in field.named_parameters():
        step = reader.byte()
        parts = order.parts(name, tuple(parameter.shape))
        models[name] = step, [(index, read_model(reader, rises)) for index, rises in parts]
    return models


@torch.no_grad()
def read_numbers(
    coder: FastUnpacker | PlainUnpacker,
    field: Field,
    order: Order,
    models: dict[str, tuple[int, Parts]],
) -> None:
    """Gives a field its numbers."""
    whole: dict[str, np.ndarray] = {}
    for name, parameter in field.named_parameters():
        step, parts = models[name]
        whole[name] = np.zeros(tuple(parameter.shape), np.int64)
        for index, model in parts:
            part = whole[name][index]
            fresh = order.fresh(name, whole) if model.rises else None
            whole[name][index] = read_whole(coder, model, part.size, fresh).reshape(part.shape)
        parameter.copy_(restored(whole[name], step))


def num_bits(field: Field, steps: Mapping[str, int]) -> float:
    """What the numbers take in a file, and what says how to read them."""
    writer = Writer()
    coded = write_numbers(writer, field, steps)
    costs = (cost_bits(np.bincount(own, minlength=len(parts)), parts) for own, parts in coded)
    return 8.0 * len(writer.data) + float(sum(costs))
