"""User options, declared once for the command line, manifests, the app and Python.

An option is a field of a frozen dataclass, made by `option` with a `Kind` and a help text. That
declaration gives the validation on construction, the command-line flags, the keys of a manifest and
the inputs of the app. `Options` contain options, other `Options`, and options of a registry's
entries (`extension`): a tree whose leaves have unique names.

Messages name an option as `rank`; the command line shows --rank, the app its label.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from fieldlr.errors import FieldlrError
from fieldlr.system.kinds import Kind
from fieldlr.system.registry import Registry, nearest

T = TypeVar("T", bound="Options")


@dataclass(frozen=True)
class Option:
    """A leaf of a tree of options."""

    name: str
    kind: Kind
    help: str
    default: Any
    shown_default: str  # a description; empty to show the default itself

    @property
    def shown(self) -> str:
        """The default in words."""
        if self.shown_default:
            return self.shown_default
        return "none" if self.default is None else self.kind.show(self.default)

    def read(self, value: Any) -> Any:
        """The validated value; raises a FieldlrError that names the option."""
        return self._checked(self.kind.read, value)

    def parse(self, text: str) -> Any:
        """The value of a text; raises a FieldlrError that names the option."""
        return self._checked(self.kind.parse, text)

    def _checked(self, how: Callable[[Any], Any], given: Any) -> Any:
        try:
            return how(given)
        except (ValueError, TypeError, OverflowError):
            hint = self.kind.hint(given)
            raise FieldlrError(
                f"`{self.name}` is {self.kind.wants}; got {str(given)[:60]}.{hint and ' ' + hint}"
            ) from None


class Chosen(dict[str, Any]):
    """Chosen options of a registry's entries, by name; not to be modified."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def option(kind: Kind, help: str, default: Any = None, *, shown_default: str = "") -> Any:
    """A dataclass field that is an option.

    A `default` of None means that the value is chosen later, as described by `shown_default`.
    """
    about = {"kind": kind, "help": help, "shown_default": shown_default}
    return dataclasses.field(default=default, metadata={"option": about})


def extension(registry: Registry) -> Any:
    """A field for options of a registry's current entries: name to value."""
    return dataclasses.field(default=Chosen(), metadata={"extension": registry})


def own_options(cls: type) -> Iterator[Option]:
    """The options declared by a dataclass itself."""
    for field in dataclasses.fields(cls):
        if "option" in field.metadata:
            yield Option(field.name, default=field.default, **field.metadata["option"])


def check_options(instance: Any) -> None:
    """Validates all options of a new frozen dataclass; raises FieldlrError.

    None is allowed: it is chosen later.
    """
    for own in own_options(type(instance)):
        value = getattr(instance, own.name)
        if value is not None:
            object.__setattr__(instance, own.name, own.read(value))


@dataclass(frozen=True, kw_only=True)
class Options:
    """A frozen dataclass of options, validated on construction."""

    not_offered: ClassVar[tuple[str, ...]] = ()  # leaves hidden from users

    def __post_init__(self) -> None:
        check_options(self)
        for field in dataclasses.fields(self):
            if "extension" in field.metadata:
                known = _entry_options(field.metadata["extension"])
                given = getattr(self, field.name)
                read = {k: known[k].read(v) for k, v in given.items() if v is not None}
                object.__setattr__(self, field.name, Chosen(read))

    @classmethod
    def of(cls: type[T], **values: Any) -> T:
        """The tree with these leaves; raises FieldlrError for unknown names and invalid values."""
        known = leaves(cls)
        for name in values:
            if name not in known:
                raise FieldlrError(f"there is no option `{name}`. {nearest(name, known)}")
        return _built(cls, values)

    def replaced(self: T, **values: Any) -> T:
        """The same tree with some leaves replaced."""
        return self.of(**{**self.flat(), **values})

    def flat(self) -> dict[str, Any]:
        """All leaves of the tree by name; None if not chosen."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "extension" in field.metadata:
                names = _entry_options(field.metadata["extension"])
                values |= {name: value.get(name) for name in names}
            else:
                values |= value.flat() if isinstance(value, Options) else {field.name: value}
        return values

    def plain(self) -> dict[str, Any]:
        """All leaves by name as JSON values; other types as text."""
        known = leaves(type(self))
        return {k: _plain(known[k], v) for k, v in self.flat().items() if k in known}

    @classmethod
    def from_plain(cls: type[T], values: Mapping[str, Any]) -> T:
        """The inverse of `plain`."""
        known, read = leaves(cls), {}
        for name, value in values.items():
            is_text = isinstance(value, str) and name in known
            read[name] = known[name].parse(value) if is_text else value
        return cls.of(**read)


def _plain(own: Option, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return list(value) if isinstance(value, tuple) else own.kind.show(value)


def leaves(cls: type[Options]) -> dict[str, Option]:
    """All options of a tree by name."""
    found: dict[str, Option] = {}
    for field in dataclasses.fields(cls):
        if "extension" in field.metadata:
            found |= _entry_options(field.metadata["extension"])
        elif "option" not in field.metadata:
            found |= leaves(_part(field))
        else:
            found |= {own.name: own for own in own_options(cls) if own.name == field.name}
    return found


def offered(cls: type[Options]) -> dict[str, Option]:
    """The options shown to users."""
    return {name: own for name, own in leaves(cls).items() if name not in cls.not_offered}


def _part(field: dataclasses.Field) -> type[Options]:
    """The class of a field that contains other options: its default factory."""
    part = field.default_factory
    assert isinstance(part, type) and issubclass(part, Options), field.name
    return part


def _entry_options(registry: Registry) -> dict[str, Option]:
    """The options of all entries of a registry, merged by name."""
    found: dict[str, Option] = {}
    for entry in registry.values():
        for own in own_options(entry):
            shown = own.shown_default or own.kind.show(own.default)
            merged = dataclasses.replace(own, default=None, shown_default=shown)
            found.setdefault(own.name, merged)
    return found


def _built(cls: type[Options], values: Mapping[str, Any]) -> Any:
    own: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if "extension" in field.metadata:
            names = _entry_options(field.metadata["extension"])
            own[field.name] = {name: values[name] for name in names if name in values}
        elif "option" not in field.metadata:
            own[field.name] = _built(_part(field), values)
        elif field.name in values:
            own[field.name] = values[field.name]
    return cls(**own)
