"""Options as keyword arguments: signatures and docstrings from their declarations."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from fieldlr.system.options import Options, offered

F = TypeVar("F", bound=Callable[..., Any])


def takes(options: type[Options]) -> Callable[[F], F]:
    """A decorator: the `**options` of a function are these, in its signature and its help."""

    def documented(function: F) -> F:
        known = offered(options)
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        more = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=one.default)
            for name, one in known.items()
        ]
        described: Any = function
        described.__signature__ = signature.replace(parameters=[*own, *more])
        lines = [
            f"    {name}: {one.help}; {one.kind.wants} (default: {one.shown})"
            for name, one in known.items()
        ]
        whole = [inspect.getdoc(function) or "", "", "Options:", *lines]
        described.__doc__ = textwrap.dedent("\n".join(whole))
        return function

    return documented
