"""Options as flags: the command line reads them off their declarations.

A verb holds `Options`; each leaf becomes a flag with its help, its default and a parser of its
own, so that a wrong value gets the sentence that it gets everywhere.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, get_type_hints

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from fieldlr.system.kinds import Switch
from fieldlr.system.options import Option, Options, offered

Flag = tyro.conf.FlagCreatePairsOff  # A switch that is off has no --no-... beside it.
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


def with_flags(message: str, verb: type) -> str:
    """A message of the library in which the arguments that a verb has are its flags."""
    hints = get_type_hints(verb, include_extras=True)
    parts = [hint for hint in hints.values() if isinstance(hint, type)]
    names = {name: f"--{name}" for name in hints}
    names |= {n: f"--{n}" for part in parts if issubclass(part, Options) for n in offered(part)}
    said = {name: text.replace("_", "-") for name, text in names.items()}
    for name, hint in hints.items():
        marks = getattr(hint, "__metadata__", ())
        if tyro.conf.Positional in marks:
            said[name] = next((m.metavar for m in marks if hasattr(m, "metavar")), name.upper())
    return re.sub(r"`(\w+)`", lambda match: said.get(match[1], match[0]), message)
