"""Kinds of options: validation, parsing and descriptions of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np


class Kind:
    """The values allowed for an option; `read` and `parse` raise ValueError or TypeError."""

    @property
    def wants(self) -> str:
        """A description of allowed values that completes the sentence "the option is ..."."""
        raise NotImplementedError

    @property
    def metavar(self) -> str:
        """A placeholder for help texts."""
        raise NotImplementedError

    def read(self, value: Any) -> Any:
        """The validated value as plain Python."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """The value given by a text."""
        return self.read(text)

    def show(self, value: Any) -> str:
        """The text that `parse` turns into the value."""
        return str(value)

    def hint(self, value: Any) -> str:
        """A sentence that leads from a wrong value to the one that was meant, where that is known.

        It may be empty.
        """
        return ""


@dataclass(frozen=True)
class Whole(Kind):
    """An integer from `least` to `most`."""

    least: int = 0
    most: float = math.inf
    unit: str = "N"

    @property
    def wants(self) -> str:
        end = f" to {self.most:.0f}" if self.most < math.inf else " up"
        return f"a whole number from {self.least}{end}"

    @property
    def metavar(self) -> str:
        return self.unit

    def read(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError
        if not self.least <= value <= self.most:
            raise ValueError
        return int(value)

    def parse(self, text: str) -> int:
        return self.read(int(text))


@dataclass(frozen=True)
class Number(Kind):
    """A number from `least` (exclusive with `above`) to `most`."""

    least: float = 0.0
    most: float = math.inf
    above: bool = True
    unit: str = "X"

    @property
    def wants(self) -> str:
        end = f" to {self.most:g}" if self.most < math.inf else ""
        return f"a number {'above' if self.above else 'from'} {self.least:g}{end}"

    @property
    def metavar(self) -> str:
        return self.unit

    def read(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise TypeError
        low = value > self.least if self.above else value >= self.least
        if not (low and value <= self.most and math.isfinite(value)):
            raise ValueError
        return float(value)

    def parse(self, text: str) -> float:
        return self.read(float(text))

    def show(self, value: Any) -> str:
        return f"{value:g}"


@dataclass(frozen=True)
class Choice(Kind):
    """One of several names: a tuple, or a registry with its current names."""

    names: Collection[str]

    @property
    def wants(self) -> str:
        return f"one of {', '.join(self.names)}"

    @property
    def metavar(self) -> str:
        return "|".join(self.names)

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise ValueError
        return value

    def hint(self, value: Any) -> str:
        near = get_close_matches(str(value).lower().replace("_", "-"), self.names, 1)
        return f"Did you mean {near[0]}?" if near else ""


@dataclass(frozen=True)
class Switch(Kind):
    """True or false."""

    @property
    def wants(self) -> str:
        return "true or false"

    @property
    def metavar(self) -> str:
        return ""

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    metavar_text: str

    @property
    def wants(self) -> str:
        return "a text"

    @property
    def metavar(self) -> str:
        return self.metavar_text

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise TypeError
        return value


@dataclass(frozen=True)
class ListOf(Kind):
    """Distinct values of one kind; as text, separated by commas."""

    kind: Kind
    example: str

    @property
    def wants(self) -> str:
        return f"a list of different values, each {self.kind.wants}, such as {self.example}"

    @property
    def metavar(self) -> str:
        return f"{self.kind.metavar},..."

    def read(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Collection):
            raise TypeError
        values = tuple(self.kind.read(one) for one in value)
        if not 0 < len(values) == len(set(values)):
            raise ValueError
        return values

    def parse(self, text: str) -> tuple[Any, ...]:
        words = [word.strip() for word in text.split(",")]
        return self.read([self.kind.parse(word) for word in words if word])

    def show(self, value: Any) -> str:
        return ",".join(self.kind.show(one) for one in value)


@dataclass(frozen=True)
class Size(Kind):
    """(width, height) in pixels; as text, separated by an x."""

    most_pixels: int = 1 << 26

    @property
    def wants(self) -> str:
        return "WIDTHxHEIGHT in pixels, such as 400x300"

    @property
    def metavar(self) -> str:
        return "WIDTHxHEIGHT"

    def read(self, value: Any) -> tuple[int, int]:
        if isinstance(value, str):
            return self.parse(value)
        width, height = (Whole(1).read(side) for side in value)
        if width * height > self.most_pixels:
            raise ValueError
        return width, height

    def parse(self, text: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text)
        if match is None:
            raise ValueError
        return self.read((int(match[1]), int(match[2])))

    def show(self, value: Any) -> str:
        return f"{value[0]}x{value[1]}"


@dataclass(frozen=True)
class Box(Kind):
    """A bounding box: lower corner, upper corner; as text, six numbers separated by spaces."""

    @property
    def wants(self) -> str:
        return (
            "a box X0 Y0 Z0 X1 Y1 Z1 in which every lower value is below its upper one, such as "
            '"-1 -1 0 1 1 2"'
        )

    @property
    def metavar(self) -> str:
        return '"X0 Y0 Z0 X1 Y1 Z1"'

    def read(self, value: Any) -> tuple[float, ...]:
        if isinstance(value, str):
            return self.parse(value)
        corners = tuple(Number(-math.inf).read(one) for one in value)
        if len(corners) != 6 or not all(a < b for a, b in zip(corners, corners[3:], strict=False)):
            raise ValueError
        return corners

    def parse(self, text: str) -> tuple[float, ...]:
        return self.read([float(word) for word in text.replace(",", " ").split()])

    def show(self, value: Any) -> str:
        return " ".join(f"{one:g}" for one in value)
