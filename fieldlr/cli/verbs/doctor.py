"""doctor: what this machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Verb


@dataclass(frozen=True, kw_only=True)
class Doctor(Verb):
    """Says what this machine has, what is missing, and how to get it.

    Example: fieldlr doctor
    """

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.doctor import examine

        return examine()

    def text(self, result: dict[str, Any]) -> str:
        from fieldlr.cli.doctor import describe

        return describe(result)
