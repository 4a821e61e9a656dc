"""Writing and reading of a header's numbers as bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from decimal import Decimal

from fieldlr.errors import FieldlrError

# Nine groups of seven bits: more than any integer of the format needs.
MOST_VARINT_BYTES = 9
MOST_EXPONENT = 400
CODES = {"byte": "B", "short": "<h", "single": "<f", "double": "<d"}


class Writer:
    """Appends encoded numbers to `data`."""

    def __init__(self) -> None:
        self.data = bytearray()

    def byte(self, value: int) -> None:
        self.data.append(value)

    def varint(self, value: int) -> None:
        """An integer >= 0, seven bits per byte, lowest first; the top bit says that more follow."""
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def signed(self, value: int) -> None:
        """An integer: 0, -1, 1, -2, ... are the varints 0, 1, 2, 3, ..."""
        self.varint(2 * value if value >= 0 else -2 * value - 1)

    def decimal(self, value: float) -> None:
        """A finite float64 as its shortest decimal: digits and, unless they are 0, an exponent."""
        sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
        whole = int("".join(map(str, digits)))
        self.signed(-whole if sign else whole)
        if whole:
            self.signed(int(exponent))

    def numbers(self, values: Sequence[float], code: str) -> None:
        """Numbers in one of the CODES."""
        for value in values:
            self.data += struct.pack(CODES[code], value)


class Reader:
    """Reads encoded numbers; raises FieldlrError for truncated or invalid bytes."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.position:
            raise corrupt("unexpected end of data")
        self.position += count
        return self.data[self.position - count : self.position]

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.position)

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = 0
        for index in range(MOST_VARINT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value
        raise corrupt("unterminated integer")

    def signed(self) -> int:
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -(value + 1 >> 1)

    def decimal(self) -> float:
        whole = self.signed()
        exponent = self.signed() if whole else 0
        value = float(f"{whole}e{exponent}") if abs(exponent) <= MOST_EXPONENT else math.inf
        if not math.isfinite(value):
            raise corrupt("a number is too large")
        return value

    def finite(self, count: int, code: str) -> tuple[float, ...]:
        """As `numbers`; raises FieldlrError if one is NaN or infinite."""
        values = self.numbers(count, code)
        if not all(map(math.isfinite, values)):
            raise corrupt("a number is NaN or infinite")
        return values

    def numbers(self, count: int, code: str) -> tuple[float, ...]:
        size = struct.calcsize(CODES[code])
        data = self.take(count * size)
        return tuple(struct.unpack_from(CODES[code], data, i * size)[0] for i in range(count))


def corrupt(why: str) -> FieldlrError:
    """The error to raise for an invalid file."""
    return FieldlrError(f"this .flr file is corrupt: {why}. Copy or create it again.")
