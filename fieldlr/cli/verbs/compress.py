"""compress: the field as a file of a few kilobytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.cli.verbs.verb import Out, RunFolder, Stopped, Verb


@dataclass(frozen=True, kw_only=True)
class Compress(Verb):
    """Writes the field of a run as a .flr file, which eval, mesh, render and spectrum take.

    Example: fieldlr compress vase-run --out vase.flr --bits 5 --finetune 30
    """

    target: RunFolder
    out: Out
    """x.flr"""
    bits: float | None = None
    """Bits that a number takes on average, 2 to 16 (as many as the quality hardly shows)."""
    finetune: float | None = None
    """Seconds of training for few bits before that (none); needs the source."""
    source: Path | None = None
    """Where the source is now, if it has moved: it is needed to measure the quality."""

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import shown
        from fieldlr.errors import FieldlrError
        from fieldlr.runs import open_run
        from fieldlr.runs.compress import Compression
        from fieldlr.system.stopping import stop_requests
        from fieldlr.training.loop import FitConfig

        if self.finetune is not None and not 0.0 < self.finetune < math.inf:
            raise FieldlrError(
                f"--finetune is a number of seconds above 0; got {self.finetune:g}. Say 30."
            )
        end = None if self.finetune is None else FitConfig(seconds=self.finetune)
        with stop_requests() as stop:
            compression = Compression(open_run(self.target), self.out, self.bits, self.source, end)
            quality_name = compression.task.quality_name if compression.task else ""
            for _ in shown(compression.reports(), quality_name, self.quiet):
                if stop.requested:
                    raise Stopped("stopped; no file is written.", {"out": None})
        self.say("encoding and evaluating")
        return compression.finish()
