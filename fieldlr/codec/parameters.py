"""Coding of a field's parameters: a step and a model for every tensor, then all symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from fieldlr.codec.ans import Coded, FastDecoder, PlainDecoder
from fieldlr.codec.byte_io import Reader, Writer
from fieldlr.codec.quantisation import dequantise, quantise
from fieldlr.codec.tables import cost_bits
from fieldlr.codec.tensors import Model, fit_model, read_integers, read_model, write_model
from fieldlr.codec.units import Order, hidden_layers, sort_units
from fieldlr.fields.field import Field

Parts = list[tuple[Any, Model]]  # (index, model) of each part of a tensor


def write_parameters(writer: Writer, field: Field, steps: Mapping[str, int]) -> list[Coded]:
    """Writes the step and the models of every tensor; returns their symbols."""
    integers = {name: quantise(p, steps[name]) for name, p in field.named_parameters()}
    for layer in hidden_layers(field):
        sort_units(layer, integers)
    order, coded = Order(field), []
    for name, values in integers.items():
        writer.byte(steps[name])
        for index, ascending in order.parts(name, values.shape):
            restarts = order.restarts(name, integers) if ascending else None
            model, own = fit_model(values[index].ravel(), restarts)
            write_model(writer, model)
            coded += own
    return coded


def read_models(reader: Reader, field: Field, order: Order) -> dict[str, tuple[int, Parts]]:
    """(step byte, models of the parts) of every tensor."""
    models = {}
    for name, parameter in field.named_parameters():
        step = reader.byte()
        parts = order.parts(name, tuple(parameter.shape))
        models[name] = step, [(index, read_model(reader, ascending)) for index, ascending in parts]
    return models


@torch.no_grad()
def read_parameters(
    coder: FastDecoder | PlainDecoder,
    field: Field,
    order: Order,
    models: dict[str, tuple[int, Parts]],
) -> None:
    """Decodes the parameters of a field, in place."""
    integers: dict[str, np.ndarray] = {}
    for name, parameter in field.named_parameters():
        step, parts = models[name]
        integers[name] = np.zeros(tuple(parameter.shape), np.int64)
        for index, model in parts:
            part = integers[name][index]
            restarts = order.restarts(name, integers) if model.ascending else None
            values = read_integers(coder, model, part.size, restarts)
            integers[name][index] = values.reshape(part.shape)
        parameter.copy_(dequantise(integers[name], step))


def num_bits(field: Field, steps: Mapping[str, int]) -> float:
    """The size of the coded parameters and of their models, in bits."""
    writer = Writer()
    coded = write_parameters(writer, field, steps)
    costs = (cost_bits(np.bincount(own, minlength=len(table)), table) for own, table in coded)
    return 8.0 * len(writer.data) + float(sum(costs))
