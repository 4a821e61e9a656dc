"""The parts of feature tables, each with a quantisation step and a model of its own.

A part is a level of a grid, a plane or a line. Rows of a grid that no occupied cell reads are not
coded. Where the nodes of a part are stored by their place, and not by their hash, a node is
predicted by the mean of those before it along every axis, and the difference is coded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.nn.encodings import Encoding


def table_encodings(field: Field) -> dict[str, Encoding]:
    """The encodings with a feature table, by the name of its parameter."""
    modules = field.named_modules()
    return {f"{n}.table": m for n, m in modules if isinstance(m, Encoding) and m.parts}


def stepped(field: Field) -> dict[str, Float[Tensor, " ..."]]:
    """The tensors that have a quantisation step: parameters, but a table part by part."""
    encodings, tensors = table_encodings(field), {}
    for name, parameter in field.named_parameters():
        if name not in encodings:
            tensors[name] = parameter
            continue
        parts = parameter.split([part.rows for part in encodings[name].parts])
        tensors |= {f"{name}[{index}]": part for index, part in enumerate(parts)}
    return tensors


@dataclass(frozen=True)
class Level:
    """One part: the rows that are coded, and the edges of their grid, none if they are hashed."""

    read: Bool[np.ndarray, " rows"]
    edges: tuple[int, ...]

    def coded(self, values: Int[np.ndarray, "rows c"]) -> Int[np.ndarray, "n c"]:
        """What is coded of values: differences where nodes have places."""
        return self.differences(values) if self.edges else values[self.read]

    def decoded(self, coded: Int[np.ndarray, "n c"]) -> Int[np.ndarray, "rows c"]:
        """The inverse of `coded`; rows that are not read are 0."""
        if self.edges:
            return self.values(coded)
        values = np.zeros((len(self.read), coded.shape[1]), np.int64)
        values[self.read] = coded
        return values

    def differences(self, values: Int[np.ndarray, "rows c"]) -> Int[np.ndarray, "n c"]:
        """The values of coded rows minus what is predicted of them."""
        shape, axes = self.edges, range(len(self.edges))
        known = (values * self.read[:, None]).reshape(*shape, -1)
        sums, counts = np.zeros_like(known), np.zeros(shape, np.int64)
        for axis in axes:
            after = tuple(slice(axis == k, None) for k in axes)
            before = tuple(slice(None, -1 if axis == k else None) for k in axes)
            sums[after] += known[before]
            counts[after] += self.read.reshape(shape)[before]
        predicted = _mean(sums.reshape(len(values), -1), counts.reshape(-1, 1))
        return (values - predicted)[self.read]

    def values(self, differences: Int[np.ndarray, "n c"]) -> Int[np.ndarray, "rows c"]:
        """The inverse of `differences`; the other rows are 0."""
        padded = tuple(edge + 1 for edge in self.edges)  # zeros stand before the first nodes
        strides = [math.prod(padded[axis + 1 :]) for axis in range(len(padded))]
        places = np.stack(np.unravel_index(np.flatnonzero(self.read), self.edges))
        rows = strides @ (places + 1)
        read = np.zeros(math.prod(padded), np.int64)
        read[rows] = 1
        found = np.zeros((len(read), differences.shape[1]), np.int64)
        # What a node is predicted from lies on the diagonal plane before its own.
        order = np.argsort(places.sum(0), kind="stable")
        ends = np.cumsum(np.bincount(places.sum(0), minlength=1))
        for plane in np.split(order, ends[:-1]):
            before = rows[plane] - np.array(strides)[:, None]
            sums, counts = found[before].sum(0), read[before].sum(0)
            found[rows[plane]] = differences[plane] + _mean(sums, counts[:, None])
        inner = found.reshape(*padded, -1)[(slice(1, None),) * len(padded)]
        return inner.reshape(len(self.read), -1)


def _mean(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The nearest integers to sums / counts, 0 where nothing was counted."""
    return (2 * sums + counts) // np.maximum(2 * counts, 1)


def coded_levels(field: Field) -> dict[str, Level]:
    """The parts of the tables of a field by their names in `stepped`.

    The cells of a radiance field tell which rows of a grid are read; if none is occupied, all are
    stored so. Lines and planes are stored whole: a decoder needs them to find the cells.
    """
    levels = {}
    for name, encoding in table_encodings(field).items():
        sizes = [part.rows for part in encoding.parts]
        read = torch.ones(sum(sizes), dtype=torch.bool)
        if isinstance(field, RadianceField) and encoding.levels:
            occupied = field.cell_occupied
            cells = occupied if occupied.any() else ~occupied
            read = encoding.rows_read(cells)["table"].cpu()
        for index, (own, part) in enumerate(zip(read.split(sizes), encoding.parts, strict=True)):
            levels[f"{name}[{index}]"] = Level(own.numpy(), part.edges)
    return levels
