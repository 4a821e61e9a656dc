"""Registry entries that describe networks in configs and files, and roles of tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from fieldlr.system.options import check_options

Stored = bool | int | float
T = TypeVar("T", bound="Entry")


class Role(NamedTuple):
    """The role of a tensor in training: which of a task's learning rates it uses, and a factor.

    `dense`: weights and biases. `matrix`: square weights between hidden layers, which Muon may
    train. `factor`: the factors of a factorised weight. `phase`: factors inside a sine, whose
    learning rate is in radians of phase. `table`: features of a grid. `line`: features of lines and
    planes, of which products are formed.
    """

    kind: Literal["dense", "matrix", "factor", "phase", "table", "line"]
    scale: float = 1.0


@dataclass(frozen=True)
class Entry:
    """A part of a network's config, as an entry of a registry.

    Its fields have defaults: integers or booleans if the default is one, else decimals.
    """

    name: ClassVar[str]  # on the command line and in configs
    number: ClassVar[int]  # in .flr files: never changed, never reused
    summary: ClassVar[str]  # a one-line description

    def __post_init__(self) -> None:
        check_options(self)

    def plain(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls: type[T], fields: Mapping[str, Any]) -> T:
        """The inverse of `plain`."""
        return cls(**fields)

    def stored(self) -> list[Stored]:
        """The fields as stored in a .flr file, in the order of definition."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    @classmethod
    def from_stored(cls: type[T], fields: list[Stored]) -> T:
        """The inverse of `stored`; raises ValueError if a decimal is 0."""
        if any(isinstance(value, float) and value == 0.0 for value in fields):
            raise ValueError("a network option is 0")
        return cls(*fields)
