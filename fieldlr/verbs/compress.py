"""compress: the field as a file of a few kilobytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.verbs.verb import Out, RunFolder, Verb


@dataclass(frozen=True, kw_only=True)
class Compress(Verb):
    """Writes the field of a run as a .flr file, which eval, mesh, render and spectrum take.

    Example: fieldlr compress vase-run --out vase.flr --bits 6
    """

    target: RunFolder
    out: Out
    """x.flr"""
    bits: float | None = None
    """Bits that a number takes on average, 2 to 16 (as many as the quality hardly shows)."""
    source: Path | None = None
    """Where the source is now, if it has moved: it is needed to measure the quality."""

    def run(self) -> dict[str, Any]:
        from fieldlr.pipeline import compress
        from fieldlr.runs import open_run

        self.say("encoding and evaluating")
        return compress(open_run(self.target), self.out, self.bits, self.source)
