"""Integer tensors as a probability model of a few bytes each and symbols for the entropy coder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int

from fieldlr.codec import tables
from fieldlr.codec.ans import Coded, FastDecoder, PlainDecoder
from fieldlr.codec.byte_io import Reader, Writer, corrupt
from fieldlr.errors import FieldlrError

# The largest absolute integer; its product with a step of four bits is exact in float32.
MAX_ABS = 1 << 20
# Tables cover at most the upper eight bits of a value; lower bits are stored verbatim.
TABLE_BITS = 7


@dataclass(frozen=True)
class Model:
    """The probability model of a tensor's values.

    Values are the integers themselves or, if ascending, the differences to the previous one, or to
    `start` where a new ascending run begins.
    """

    max_abs: int
    ascending: bool
    start: int = 0
    law: int = tables.UNIFORM
    explicit: bytes = b""

    @property
    def low_bits(self) -> int:
        """The number of lower bits stored verbatim."""
        return max(0, self.max_abs.bit_length() - TABLE_BITS)

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest upper bits of values."""
        lowest = 0 if self.ascending else -self.max_abs >> self.low_bits
        return lowest, self.max_abs >> self.low_bits

    @property
    def symbols(self) -> Int[np.ndarray, " k"]:
        """The possible upper bits of values (K,)."""
        lowest, highest = self.range
        return np.arange(lowest, highest + 1)

    def table(self) -> Int[np.ndarray, " k"]:
        """The frequencies of the upper bits (K,)."""
        if self.law == tables.EXPLICIT:
            explicit = np.frombuffer(self.explicit, np.uint8).astype(np.int64)
            return tables.normalised(tables.explicit_weight(explicit))
        return tables.normalised(tables.law_weights(self.law, self.distances()))

    def distances(self) -> Int[np.ndarray, " k"]:
        """Twice the distance of each symbol's centre from 0 (K,)."""
        return _distances(self.symbols, self.low_bits > 0)

    def low_table(self) -> Int[np.ndarray, " k"]:
        """The frequencies of the lower bits, all equal."""
        return np.full(1 << self.low_bits, tables.TOTAL >> self.low_bits)


def fit_model(
    integers: Int[np.ndarray, " n"], restarts: Bool[np.ndarray, " n"] | None = None
) -> tuple[Model, list[Coded]]:
    """The cheapest model of integers (N,), and their symbols.

    For ascending integers, `restarts` (N,) marks where each ascending run begins.
    """
    start, values = 0, integers
    if restarts is not None:
        start = int(integers.min())
        values = integers - np.where(restarts, start, np.roll(integers, 1))
    model = Model(int(np.abs(values).max(initial=0)), restarts is not None, start)
    if model.max_abs == 0:
        return model, []
    if model.max_abs > MAX_ABS:
        raise FieldlrError(
            f"a parameter in a .flr file is at most {MAX_ABS} quantisation steps from 0; one here "
            f"is {model.max_abs}. Use fewer bits, or retrain: the network has diverged."
        )
    high = (values >> model.low_bits) - int(model.symbols[0])
    model = _with_table(model, np.bincount(high, minlength=len(model.symbols)))
    coded = [(high, model.table())]
    if model.low_bits:
        coded.append((values & (1 << model.low_bits) - 1, model.low_table()))
    return model, coded


def _with_table(model: Model, histogram: np.ndarray) -> Model:
    """The model with the law or explicit table that takes the fewest bits."""
    costs = _law_bits(*model.range, model.low_bits > 0) @ histogram
    best = int(costs.argmin())
    explicit = tables.explicit_bytes(histogram)
    frequencies = tables.normalised(tables.explicit_weight(explicit))
    if tables.cost_bits(histogram, frequencies) + 8 * len(explicit) < costs[best]:
        explicit = explicit.astype(np.uint8).tobytes()
        return replace(model, law=tables.EXPLICIT, explicit=explicit)
    return replace(model, law=best)


@lru_cache(maxsize=128)  # up to half a MiB each; tensors of any size share them
def _law_bits(lowest: int, highest: int, has_low_bits: bool) -> np.ndarray:
    """Bits (laws, K) that each symbol from the lowest to the highest takes by every law."""
    distances = _distances(np.arange(lowest, highest + 1), has_low_bits)
    return tables.symbol_bits(tables.normalised(tables.all_law_weights(distances)))


def _distances(symbols: Int[np.ndarray, " k"], has_low_bits: bool) -> Int[np.ndarray, " k"]:
    return np.abs(2 * symbols + has_low_bits)


def write_model(writer: Writer, model: Model) -> None:
    if model.ascending:
        writer.signed(model.start)
    writer.varint(model.max_abs)
    if model.max_abs:
        writer.byte(model.law)
        writer.data += model.explicit


def read_model(reader: Reader, ascending: bool) -> Model:
    start = reader.signed() if ascending else 0
    max_abs = reader.varint()
    if abs(start) > MAX_ABS or max_abs > MAX_ABS:
        raise corrupt(f"an integer exceeds {MAX_ABS}")
    if max_abs == 0:
        return Model(0, ascending, start)
    law = reader.byte()
    if law > tables.EXPLICIT:
        raise corrupt(f"unknown probability law {law}")
    count = len(Model(max_abs, ascending).symbols)
    explicit = reader.take(count) if law == tables.EXPLICIT else b""
    if law == tables.EXPLICIT and not any(explicit):
        raise corrupt("a probability table is empty")
    return Model(max_abs, ascending, start, law, explicit)


def read_integers(
    unpacker: FastDecoder | PlainDecoder,
    model: Model,
    count: int,
    restarts: Bool[np.ndarray, " count"] | None = None,
) -> Int[np.ndarray, " count"]:
    """The integers (count,) of a tensor; `restarts` as in `fit_model`."""
    values = np.zeros(count, np.int64)
    if model.max_abs:
        high = unpacker.take(count, model.table()).astype(np.int64) + int(model.symbols[0])
        values = high << model.low_bits
        if model.low_bits:
            values += unpacker.take(count, model.low_table())
    integers = values
    if restarts is not None:
        sums = np.cumsum(values)
        begin = np.maximum.accumulate(np.where(restarts, np.arange(count), 0))
        integers = model.start + sums - (sums - values)[begin]
    if np.abs(integers).max(initial=0) > MAX_ABS:
        raise corrupt(f"an integer exceeds {MAX_ABS}")
    return integers
