"""Tensors of whole numbers as bytes: a few bytes of model each, and symbols for the coder."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from fieldlr.codec import tables
from fieldlr.codec.ans import Coded, FastUnpacker, PlainUnpacker
from fieldlr.codec.octets import Reader, Writer, broken
from fieldlr.errors import FieldlrError

# The farthest whole number; with a step of four binary digits a product is exact in float32.
MOST_REACH = 1 << 20
# Tables are over at most eight bits of a number; lower bits are stored as they are.
TABLE_BITS = 7


@dataclass(frozen=True)
class Model:
    """What is known of a tensor's values before they are decoded.

    Values are the whole numbers themselves or, where they rise, by how much each is more than the
    one before, or than `start` where they begin anew.
    """

    reach: int  # no value is farther from 0
    rises: bool
    start: int = 0
    law: int = tables.UNIFORM
    written: bytes = b""

    @property
    def low_bits(self) -> int:
        """Bits of a value that have no table."""
        return max(0, self.reach.bit_length() - TABLE_BITS)

    @property
    def symbols(self) -> Int[np.ndarray, " k"]:
        """What the upper bits of values may be (K,)."""
        lowest = 0 if self.rises else -self.reach >> self.low_bits
        return np.arange(lowest, (self.reach >> self.low_bits) + 1)

    def parts(self) -> Int[np.ndarray, " k"]:
        """The table of the upper bits (K,)."""
        if self.law == tables.WRITTEN:
            written = np.frombuffer(self.written, np.uint8).astype(np.int64)
            return tables.counts(tables.written_weight(written))
        return tables.counts(tables.law_weights(self.law, self.distances()))

    def distances(self) -> Int[np.ndarray, " k"]:
        """Twice the distance of each symbol's middle from 0 (K,)."""
        return np.abs(2 * self.symbols + (self.low_bits > 0))

    def low_parts(self) -> Int[np.ndarray, " k"]:
        """The table of the lower bits, all alike."""
        return np.full(1 << self.low_bits, tables.TOTAL >> self.low_bits)


def modelled(
    whole: Int[np.ndarray, " n"], fresh: Bool[np.ndarray, " n"] | None = None
) -> tuple[Model, list[Coded]]:
    """The cheapest model of whole numbers (N,), and their symbols.

    Where numbers rise, `fresh` says (N,) which of them begin anew.
    """
    start, values = 0, whole
    if fresh is not None:
        start = int(whole.min())
        values = whole - np.where(fresh, start, np.roll(whole, 1))
    model = Model(int(np.abs(values).max(initial=0)), fresh is not None, start)
    if model.reach == 0:
        return model, []
    if model.reach > MOST_REACH:
        raise FieldlrError(
            f"a number of a .flr file is at most {MOST_REACH} steps from 0; one here is "
            f"{model.reach} steps. Use fewer bits, or train anew: such a network has exploded."
        )
    high = (values >> model.low_bits) - int(model.symbols[0])
    model = _with_table(model, np.bincount(high, minlength=len(model.symbols)))
    coded = [(high, model.parts())]
    if model.low_bits:
        coded.append((values & (1 << model.low_bits) - 1, model.low_parts()))
    return model, coded


def _with_table(model: Model, histogram: np.ndarray) -> Model:
    """The model with the law, or the written table, that takes the fewest bits."""
    laws = tables.counts(tables.all_law_weights(model.distances()))
    costs = tables.cost_bits(histogram, laws)
    best = int(costs.argmin())
    written = tables.written_bytes(histogram)
    parts = tables.counts(tables.written_weight(written))
    if tables.cost_bits(histogram, parts) + 8 * len(written) < costs[best]:
        written = written.astype(np.uint8).tobytes()
        return replace(model, law=tables.WRITTEN, written=written)
    return replace(model, law=best)


def write_model(writer: Writer, model: Model) -> None:
    if model.rises:
        writer.signed(model.start)
    writer.varint(model.reach)
    if model.reach:
        writer.byte(model.law)
        writer.data += model.written


def read_model(reader: Reader, rises: bool) -> Model:
    start = reader.signed() if rises else 0
    reach = reader.varint()
    if abs(start) > MOST_REACH or reach > MOST_REACH:
        raise broken(f"a number in it is beyond {MOST_REACH}")
    if reach == 0:
        return Model(0, rises, start)
    law = reader.byte()
    if law > tables.WRITTEN:
        raise broken(f"it has a law {law} of probabilities, which there is not")
    count = len(Model(reach, rises).symbols)
    written = reader.take(count) if law == tables.WRITTEN else b""
    if law == tables.WRITTEN and not any(written):
        raise broken("a table in it is empty")
    return Model(reach, rises, start, law, written)


def read_whole(
    unpacker: FastUnpacker | PlainUnpacker,
    model: Model,
    count: int,
    fresh: Bool[np.ndarray, " count"] | None = None,
) -> Int[np.ndarray, " count"]:
    """The whole numbers (count,) of a tensor; `fresh` as in `modelled`."""
    values = np.zeros(count, np.int64)
    if model.reach:
        high = unpacker.take(count, model.parts()).astype(np.int64) + int(model.symbols[0])
        values = high << model.low_bits
        if model.low_bits:
            values += unpacker.take(count, model.low_parts())
    whole = values
    if fresh is not None:
        sums = np.cumsum(values)
        begin = np.maximum.accumulate(np.where(fresh, np.arange(count), 0))
        whole = model.start + sums - (sums - values)[begin]
    if np.abs(whole).max(initial=0) > MOST_REACH:
        raise broken(f"a number in it is beyond {MOST_REACH}")
    return whole
