"""Entropy coding by asymmetric numeral systems (Duda 2013).

The coder is `constriction`'s stack coder: 64-bit state, 32-bit words, 24-bit probabilities.
Without that package a slower pure-Python coder produces identical bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int, UInt32

from fieldlr.codec.byte_io import corrupt
from fieldlr.codec.tables import TOTAL, TOTAL_BITS

WORD_BITS = 32
WORD = 1 << WORD_BITS

# Symbols (N,) and their table: integer frequencies (K,) that sum to TOTAL.
Coded = tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]


def encode_symbols(coded: list[Coded]) -> bytes:
    """The bytes from which `symbol_decoder` returns the symbols in the same order."""
    words = np.asarray(_encode_fast(coded) if has_constriction() else _encode_plain(coded))
    return words.astype("<u4").tobytes().rstrip(b"\0")


def has_constriction() -> bool:
    """Whether the package `constriction` is installed."""
    try:
        import constriction  # noqa: F401
    except ImportError:
        return False
    return True


def symbol_decoder(data: bytes) -> PlainDecoder | FastDecoder:
    """A decoder of bytes written by `encode_symbols`."""
    if data.endswith(b"\0"):
        raise corrupt("the payload has trailing zero bytes")
    words = np.frombuffer(data + bytes(-len(data) % 4), "<u4")
    return (FastDecoder if has_constriction() else PlainDecoder)(words)


class FastDecoder:
    """Decodes with `constriction`."""

    def __init__(self, words: UInt32[np.ndarray, " words"]):
        coder = _stream().stack.AnsCoder
        self.coder = coder(words.astype(np.uint32)) if len(words) else coder()

    def take(self, count: int, frequencies: Int[np.ndarray, " k"]) -> Int[np.ndarray, " count"]:
        """The next symbols (count,), by a table (K,)."""
        return self.coder.decode(_model(frequencies), count)

    def close(self) -> None:
        """Raises FieldlrError unless all symbols have been decoded."""
        if not self.coder.is_empty():
            raise corrupt("its numbers do not end where they should")


class PlainDecoder:
    """Decodes in pure Python."""

    def __init__(self, words: UInt32[np.ndarray, " words"]):
        self.words, self.state = [int(word) for word in words], 0
        self._fill()
        self._fill()

    def _fill(self) -> None:
        if self.state < WORD and self.words:
            self.state = self.state << WORD_BITS | self.words.pop()

    def take(self, count: int, frequencies: Int[np.ndarray, " k"]) -> Int[np.ndarray, " count"]:
        return np.fromiter(self._symbols(count, frequencies), np.int32, count)

    def _symbols(self, count: int, frequencies: np.ndarray) -> Iterator[int]:
        ends = np.cumsum(frequencies)
        starts, sizes = (ends - frequencies).tolist(), frequencies.tolist()
        for _ in range(count):
            place = self.state % TOTAL
            symbol = int(np.searchsorted(ends, place, "right"))
            self.state = (self.state >> TOTAL_BITS) * sizes[symbol] + place - starts[symbol]
            self._fill()
            yield symbol

    def close(self) -> None:
        if self.state or self.words:
            raise corrupt("its numbers do not end where they should")


def _stream() -> Any:
    """The stream coders of `constriction`."""
    import constriction

    return constriction.stream  # pyright: ignore[reportAttributeAccessIssue] - compiled, no stub


def _encode_fast(coded: list[Coded]) -> np.ndarray:
    coder = _stream().stack.AnsCoder()
    for symbols, frequencies in reversed(coded):
        coder.encode_reverse(symbols.astype(np.int32), _model(frequencies))
    return coder.get_compressed()


def _model(frequencies: np.ndarray) -> Any:
    """A `constriction` model with exactly these frequencies.

    `Categorical` gives every symbol a frequency of 1 and shares out the rest in proportion, so it
    is passed the frequencies less 1: integers whose sums are exact in float64.
    """
    return _stream().model.Categorical(frequencies.astype(np.float64) - 1.0, perfect=False)


def _encode_plain(coded: list[Coded]) -> list[int]:
    state, words = 0, []
    for symbols, frequencies in reversed(coded):
        starts, sizes = (np.cumsum(frequencies) - frequencies).tolist(), frequencies.tolist()
        for symbol in reversed(symbols.tolist()):
            size = sizes[symbol]
            if state >> 64 - TOTAL_BITS >= size:
                words.append(state % WORD)
                state >>= WORD_BITS
            state = (state // size << TOTAL_BITS) + state % size + starts[symbol]
    while state:
        words.append(state % WORD)
        state >>= WORD_BITS
    return words
