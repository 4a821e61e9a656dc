"""What networks are described by: entries that configs and files name, and the roles of tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from fieldlr.system.options import check_options

Stored = bool | int | float
T = TypeVar("T", bound="Entry")


class Role(NamedTuple):
    """How a tensor learns: which of a task's learning rates it has, and what it is multiplied by.

    `dense`: weights and biases. `matrix`: square weights between hidden layers, which Muon may
    train. `factor`: the factors of a factorised weight. `phase`: factors inside a sine, whose rate
    is stated in radians of phase. `table`: features of an encoding.
    """

    kind: Literal["dense", "matrix", "factor", "phase", "table"]
    scale: float = 1.0


@dataclass(frozen=True)
class Entry:
    """An entry of a registry that networks are described by.

    Its fields have defaults: whole numbers and booleans where the default is one, else decimals.
    """

    name: ClassVar[str]  # on the command line and in configs
    number: ClassVar[int]  # in .flr files: never changed, never reused
    summary: ClassVar[str]  # one line for people

    def __post_init__(self) -> None:
        check_options(self)

    def plain(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_plain(cls: type[T], fields: Mapping[str, Any]) -> T:
        """The inverse of `plain`."""
        return cls(**fields)

    def stored(self) -> list[Stored]:
        """The fields as a .flr file has them, in the order of their definition."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    @classmethod
    def from_stored(cls: type[T], fields: list[Stored]) -> T:
        """The inverse of `stored`; ValueError where a decimal is 0."""
        if any(isinstance(value, float) and value == 0.0 for value in fields):
            raise ValueError("an option of its network is 0")
        return cls(*fields)
