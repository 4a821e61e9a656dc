"""Options as flags: the command line reads them off their declarations.

A verb holds `Options`; each leaf becomes a flag with its help, its default and a parser of its
own, so that a wrong value gets the sentence that it gets everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from fieldlr.errors import FieldlrError
from fieldlr.system.kinds import Switch
from fieldlr.system.options import Option, Options, offered
from fieldlr.system.registry import nearest

Flag = tyro.conf.FlagCreatePairsOff  # A switch that is off by default has no --no-... form.
CONSTRUCTORS = ConstructorRegistry()


@CONSTRUCTORS.struct_rule
def _options(info: StructTypeInfo) -> StructConstructorSpec | None:
    if not (isinstance(info.type, type) and issubclass(info.type, Options)):
        return None
    fields = [
        StructFieldSpec(name, _type(own), own.default, _help(own, info.type))
        for name, own in offered(info.type).items()
    ]

    def made(**values: Any) -> Options:
        return info.type.of(**values)

    return StructConstructorSpec(made, tuple(fields))


def _help(own: Option, cls: type[Options]) -> str:
    names = offered(cls)
    return re.sub(r"`(\w+)`", lambda m: f"--{m[1]}" if m[1] in names else m[0], own.help)


def _type(own: Option) -> Any:
    if isinstance(own.kind, Switch):
        return bool if own.default else Annotated[bool, Flag]
    spec = PrimitiveConstructorSpec(
        nargs=1,
        metavar=own.kind.metavar,
        instance_from_str=lambda words: own.parse(words[0]),
        is_instance=lambda _: True,
        str_from_instance=lambda value: ["" if value is None else own.kind.show(value)],
    )
    return Annotated[Any, spec, tyro.conf.arg(help_behavior_hint=f"(default: {own.shown})")]


def arguments_of(verb: type) -> dict[str, str]:
    """How each argument of a verb is called on the command line: --flag, or the METAVAR."""
    hints = get_type_hints(verb, include_extras=True)
    said = {}
    for name, hint in hints.items():
        marks = getattr(hint, "__metadata__", ())
        if isinstance(hint, type) and issubclass(hint, Options):
            said |= {own: f"--{own.replace('_', '-')}" for own in offered(hint)}
        elif tyro.conf.Positional in marks:
            said[name] = next((m.metavar for m in marks if hasattr(m, "metavar")), name.upper())
        else:
            said[name] = f"--{name.replace('_', '-')}"
    return said


def check_words(words: Sequence[str], verbs: Mapping[str, type]) -> None:
    """FieldlrError for a verb or a flag that does not exist: it names the nearest."""
    if not words or words[0].startswith("-"):
        return
    if words[0] not in verbs:
        raise FieldlrError(f"there is no command {words[0]!r}. {nearest(words[0], verbs)}")
    known = [flag for flag in arguments_of(verbs[words[0]]).values() if flag.startswith("--")]
    known += [*(f"--no-{flag[2:]}" for flag in known), "--help"]
    for word in words[1:]:
        flag = word.partition("=")[0].replace("_", "-")
        if flag == "--":
            return
        if flag.startswith("--") and flag not in known:
            near = get_close_matches(flag, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"See fieldlr {words[0]} --help."
            raise FieldlrError(f"fieldlr {words[0]} has no flag {flag}. {hint}")


def with_flags(message: str, verb: type) -> str:
    """A message of the library in which the arguments that a verb has are its flags."""
    said = arguments_of(verb)
    return re.sub(r"`(\w+)`", lambda match: said.get(match[1], match[0]), message)
