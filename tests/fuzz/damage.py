"""Ways to damage a file: bits, cuts, splices, and other numbers in the place of its own."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
WORDS = (
    b"nan", b"NaN", b"inf", b"-Infinity", b"0", b"-1", b"1", b"-0.0", b"1e308", b"1e-308", b"1e400",
    b"5e-324", b"255", b"4294967295", b"9223372036854775808", b"1" + b"0" * 400, b"null", b"true",
    b'""', b'"x"', b'".."', b'"/etc/passwd"', b"[]", b"{}", b"[" * 3000, b'"' + b"a" * 3000 + b'"',
    b"\xff\xfe", b"\0",
)  # fmt: skip
# Little-endian numbers that counts, sizes and offsets do not expect.
PLACES = 1 << 20
WIDTHS = (1, 2, 4, 8)
BLOCKS = (
    *(value.to_bytes(width, "little") for width in WIDTHS for value in (0, 1)),
    *((2 ** (8 * width) - less).to_bytes(width, "little") for width in WIDTHS for less in (1, 2)),
    *((2 ** (8 * width - 1)).to_bytes(width, "little") for width in WIDTHS),
    *((2 ** (8 * width - 1) - 1).to_bytes(width, "little") for width in WIDTHS),
    b"\0\0\xc0\x7f",  # nan and inf in float32, then in float64
    b"\0\0\x80\x7f",
    b"\0" * 6 + b"\xf8\x7f",
    b"\0" * 6 + b"\xf0\x7f",
)


class Edit(NamedTuple):
    """One damage: a kind, in which of PLACES it is done, and which of the ways."""

    kind: int
    place: int
    choice: int


def damaged(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes after all edits, one after the other."""
    for edit in edits:
        data = KINDS[edit.kind % len(KINDS)](data, edit.place * len(data) // PLACES, edit.choice)
    return data


def random_edits(draw: random.Random) -> list[Edit]:
    count = draw.choice((1, 1, 1, 2, 3, 6))
    return [
        Edit(draw.randrange(len(KINDS)), draw.randrange(PLACES), draw.randrange(1 << 16))
        for _ in range(count)
    ]


def _flip(data: bytes, place: int, choice: int) -> bytes:
    byte = data[place : place + 1]
    return data[:place] + bytes(b ^ (1 << choice % 8) for b in byte) + data[place + 1 :]


def _overwrite(data: bytes, place: int, choice: int) -> bytes:
    block = BLOCKS[choice % len(BLOCKS)]
    return data[:place] + block + data[place + len(block) :]


def _overwrite_head(data: bytes, place: int, choice: int) -> bytes:
    """Most counts stand in the first bytes."""
    return _overwrite(data, place % 64, choice)


def _cut(data: bytes, place: int, choice: int) -> bytes:
    return data[:place]


def _drop(data: bytes, place: int, choice: int) -> bytes:
    return data[:place] + data[place + 1 + choice % 64 :]


def _repeat(data: bytes, place: int, choice: int) -> bytes:
    """A part of the file once more, somewhere else."""
    part = data[choice % max(len(data), 1) :][: 1 + choice % 200]
    return data[:place] + part + data[place:]


def _number(data: bytes, place: int, choice: int) -> bytes:
    """Another word in the place of the first number behind `place`."""
    found = NUMBER.search(data, place)
    start, stop = found.span() if found else (place, place)
    return data[:start] + WORDS[choice % len(WORDS)] + data[stop:]


def _line(data: bytes, place: int, choice: int) -> bytes:
    """One line twice, or not at all."""
    start, stop = data.rfind(b"\n", 0, place) + 1, data.find(b"\n", place)
    line = data[start : stop if stop >= 0 else len(data)]
    return data[:start] + line * (2 * (choice % 2)) + data[start + len(line) :]


KINDS = (_flip, _overwrite, _overwrite_head, _cut, _drop, _repeat, _number, _number, _line)
