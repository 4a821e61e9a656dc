"""Kinds of options: validation, parsing and descriptions of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

COLOURS = {"white": "#ffffff", "black": "#000000"}


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
    """(width, height) in pixels, as text separated by an x; or the height alone."""

    most_pixels: int = 1 << 26

    @property
    def wants(self) -> str:
        return "WIDTHxHEIGHT in pixels, such as 400x300, or the height alone, such as 720"

    @property
    def metavar(self) -> str:
        return "WIDTHxHEIGHT|HEIGHT"

    def read(self, value: Any) -> tuple[int, int] | int:
        if isinstance(value, str):
            return self.parse(value)
        sides = value if isinstance(value, Collection) else (value, value)
        width, height = (Whole(1).read(side) for side in sides)
        if width * height > self.most_pixels:
            raise ValueError
        return (width, height) if sides is value else height

    def parse(self, text: str) -> tuple[int, int] | int:
        match = re.fullmatch(r"(?:(\d{1,5})[xX])?(\d{1,5})", text)
        if match is None:
            raise ValueError
        return self.read((int(match[1]), int(match[2])) if match[1] else int(match[2]))

    def show(self, value: Any) -> str:
        return str(value) if isinstance(value, int) else f"{value[0]}x{value[1]}"


@dataclass(frozen=True)
class Colour(Kind):
    """An sRGB colour, three numbers in [0, 1]; as text white, black or #RRGGBB."""

    @property
    def wants(self) -> str:
        return f"{', '.join(COLOURS)} or a colour #RRGGBB, such as #336699"

    @property
    def metavar(self) -> str:
        return "|".join((*COLOURS, "#RRGGBB"))

    def read(self, value: Any) -> tuple[float, float, float]:
        if isinstance(value, str):
            return self.parse(value)
        red, green, blue = (Number(0.0, 1.0, above=False).read(one) for one in value)
        return red, green, blue

    def parse(self, text: str) -> tuple[float, float, float]:
        digits = COLOURS.get(text.lower(), text).removeprefix("#")
        if re.fullmatch(r"[0-9a-fA-F]{6}", digits) is None:
            raise ValueError
        return self.read([channel / 255.0 for channel in bytes.fromhex(digits)])

    def show(self, value: Any) -> str:
        digits = f"#{bytes(round(255.0 * channel) for channel in value).hex()}"
        return next((name for name, known in COLOURS.items() if known == digits), digits)


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
