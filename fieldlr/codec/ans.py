"""Asymmetric numeral systems (Duda 2013): symbols to bytes at the cost of their probabilities.

The coder is the stack of the package `constriction`: a state of 64 bits, words of 32, tables of 24.
Where the package is missing the same is done in plain Python, slower and byte for byte alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int, UInt32

from fieldlr.codec.octets import broken
from fieldlr.codec.tables import TOTAL, TOTAL_BITS

WORD_BITS = 32
WORD = 1 << WORD_BITS

# Symbols (N,), and the parts (K,) of TOTAL of their table; a list of these has many N and K.
Coded = tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]


def pack(coded: list[Coded]) -> bytes:
    """The bytes from which `unpacker` takes the symbols again, the first ones first."""
    words = np.asarray(_pack_fast(coded) if has_constriction() else _pack_plain(coded))
    return words.astype("<u4").tobytes().rstrip(b"\0")


def has_constriction() -> bool:
    """Whether the package is here."""
    try:
        import constriction  # noqa: F401
    except ImportError:
        return False
    return True


def unpacker(data: bytes) -> PlainUnpacker | FastUnpacker:
    """What takes symbols from bytes that `pack` made."""
    if data.endswith(b"\0"):
        raise broken("its numbers end in nothing")
    words = np.frombuffer(data + bytes(-len(data) % 4), "<u4")
    return (FastUnpacker if has_constriction() else PlainUnpacker)(words)


class FastUnpacker:
    """By the package."""

    def __init__(self, words: UInt32[np.ndarray, " words"]):
        coder = _stream().stack.AnsCoder
        self.coder = coder(words.astype(np.uint32)) if len(words) else coder()

    def take(self, count: int, parts: Int[np.ndarray, " k"]) -> Int[np.ndarray, " count"]:
        """Symbols (count,) of a table (K,)."""
        return self.coder.decode(_model(parts), count)

    def close(self) -> None:
        """FieldlrError unless the symbols taken are all that there is."""
        if not self.coder.is_empty():
            raise broken("its numbers do not end where they should")


class PlainUnpacker:
    """By the algorithm itself."""

    def __init__(self, words: UInt32[np.ndarray, " words"]):
        self.words, self.state = [int(word) for word in words], 0
        self._fill()
        self._fill()

    def _fill(self) -> None:
        if self.state < WORD and self.words:
            self.state = self.state << WORD_BITS | self.words.pop()

    def take(self, count: int, parts: Int[np.ndarray, " k"]) -> Int[np.ndarray, " count"]:
        return np.fromiter(self._symbols(count, parts), np.int32, count)

    def _symbols(self, count: int, parts: np.ndarray) -> Iterator[int]:
        ends = np.cumsum(parts)
        starts, sizes = (ends - parts).tolist(), parts.tolist()
        for _ in range(count):
            place = self.state % TOTAL
            symbol = int(np.searchsorted(ends, place, "right"))
            self.state = (self.state >> TOTAL_BITS) * sizes[symbol] + place - starts[symbol]
            self._fill()
            yield symbol

    def close(self) -> None:
        if self.state or self.words:
            raise broken("its numbers do not end where they should")


def _stream() -> Any:
    """What the package codes with."""
    import constriction

    return constriction.stream  # pyright: ignore[reportAttributeAccessIssue] - compiled, no stub


def _pack_fast(coded: list[Coded]) -> np.ndarray:
    coder = _stream().stack.AnsCoder()
    for symbols, parts in reversed(coded):
        coder.encode_reverse(symbols.astype(np.int32), _model(parts))
    return coder.get_compressed()


def _model(parts: np.ndarray) -> Any:
    """The package's model with exactly these parts.

    It gives every symbol one part and shares out the others in proportion, so what is asked of it
    is the parts without that one: whole numbers whose sums a float64 holds exactly.
    """
    return _stream().model.Categorical(parts.astype(np.float64) - 1.0, perfect=False)


def _pack_plain(coded: list[Coded]) -> list[int]:
    state, words = 0, []
    for symbols, parts in reversed(coded):
        starts, sizes = (np.cumsum(parts) - parts).tolist(), parts.tolist()
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
