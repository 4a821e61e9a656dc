"""doctor: a report on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Verb


@dataclass(frozen=True, kw_only=True)
class Doctor(Verb):
    """Reports what this machine has, what is missing, and how to install it.

    Example: fieldlr doctor
    """

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.doctor import examine

        return examine()

    def text(self, result: dict[str, Any]) -> str:
        from fieldlr.cli.doctor import describe

        return describe(result)
