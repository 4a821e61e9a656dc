"""What all verbs share: printing, stopping, and the arguments that mean the same everywhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.flags import Flag, with_flags
from fieldlr.system.lines import put

Out = Annotated[Path, tyro.conf.arg(metavar="PATH")]
Source = tyro.conf.Positional[
    Annotated[
        Path,
        tyro.conf.arg(
            metavar="SOURCE", help="A folder or file of photos with poses, a mesh, or a volume."
        ),
    ]
]
RunFolder = tyro.conf.Positional[
    Annotated[
        Path,
        tyro.conf.arg(metavar="RUN", help="A run folder that `fit` made, or a .flr file."),
    ]
]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: none)")]
Moved = Annotated[
    Path | None,
    tyro.conf.arg(metavar="SOURCE", help_behavior_hint="(default: where the run found it)"),
]


class Stopped(Exception):
    """The user or a limit stopped the command; finished results are saved."""

    code = 3

    def __init__(self, message: str, result: dict[str, Any]):
        super().__init__(message)
        self.result = result


class PartlyFailed(Stopped):
    """Some items of a batch failed, the rest is done."""

    code = 4


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb: its flags, and what it does."""

    json: Flag[bool] = False
    """Print one JSON object on standard output at the end."""
    quiet: Flag[bool] = False
    """No progress on standard error."""

    def run(self) -> dict[str, Any]:
        """Does it; the result as plain values."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """A line for people, on standard error."""
        if not self.quiet:
            put(text, sys.stderr)

    def text(self, result: dict[str, Any]) -> str:
        """The result for people: a line a figure, warnings in full."""
        lines = []
        for name, value in result.items():
            if isinstance(value, float):
                value = f"{value:.5g}"
            if value is not None and not isinstance(value, dict | list | tuple):
                lines.append(f"{name.replace('_', ' '):>24}  {value}")
        warnings = (with_flags(text, type(self)) for text in result.get("warnings", ()))
        return "\n".join([*lines, *(f"warning: {text}" for text in warnings)])
