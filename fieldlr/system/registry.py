"""Registries: named choices of one kind, each with its number in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from fieldlr.errors import FieldlrError

E = TypeVar("E")


class UnknownName(FieldlrError, KeyError):
    """A registry has no entry of this name."""

    __str__ = Exception.__str__  # KeyError would quote the message.


class Registry(Mapping[str, E]):
    """Entries by name, in the order of their addition.

    An entry is a class or an object with a `name`, a `summary` and, if stored in files, a
    `number`. Numbers are part of the file format: they never change and are never reused.
    """

    def __init__(self, noun: str, *entries: E) -> None:
        self.noun = noun
        self._entries: dict[str, E] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: E) -> E:
        """Adds an entry and returns it, so it can be used as a decorator.

        Raises FieldlrError if its name or number is taken.
        """
        described: Any = entry
        number = getattr(described, "number", None)
        numbers = [getattr(other, "number", None) for other in self.values()]
        if described.name in self or (number is not None and number in numbers):
            raise FieldlrError(
                f"a {self.noun} needs a unique name and number; {described.name} or {number} is "
                "taken. Choose others."
            )
        self._entries[described.name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Removes an entry."""
        del self._entries[name]

    def __getitem__(self, name: str) -> E:
        if name in self._entries:
            return self._entries[name]
        raise UnknownName(f"there is no {self.noun} {name!r}. {nearest(str(name), self)}")

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Registry of {len(self)} {self.noun}s: {', '.join(self)}"

    def numbered(self, number: int) -> E:
        """The entry with a `number`; raises FieldlrError if this version has none."""
        for entry in self.values():
            if getattr(entry, "number", None) == number:
                return entry
        raise FieldlrError(
            f"this file uses {self.noun} number {number}, which this version does not have (it "
            f"has {', '.join(self)}). If a newer fieldlr wrote it, update yours."
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a mistyped name."""
    known = list(known)
    near = get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}?" if near else f"Choose one of {', '.join(known)}."
