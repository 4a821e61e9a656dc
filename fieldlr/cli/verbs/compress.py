"""compress: the field as a file of a few kilobytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.flags import with_flags
from fieldlr.cli.verbs.verb import Moved, Out, RunFolder, Stopped, Verb
from fieldlr.runs.options import FileOptions


@dataclass(frozen=True, kw_only=True)
class Compress(Verb):
    """Writes the field of a run as a .flr file, usable as RUN in other commands.

    Example: fieldlr compress vase-run --out vase.flr --bits 5 --finetune 30
    """

    target: RunFolder
    out: Out
    """The file to write: x.flr."""
    source: Moved = None
    """Where the source is now, if it has moved: `method` and `finetune` need it, and measuring."""
    file: FileOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import shown
        from fieldlr.runs import open_run
        from fieldlr.runs.compress import Compression
        from fieldlr.system.stopping import stop_requests
        from fieldlr.training.loop import FitConfig

        seconds = self.file.finetune
        end = None if seconds is None else FitConfig(seconds=seconds)
        with stop_requests() as stop:
            compression = Compression(
                open_run(self.target),
                self.out,
                self.file.bits,
                self.source,
                end,
                max_bytes=self.file.max_bytes,
                compressor=self.file.compressor,
            )
            quality_name = compression.task.quality_name if compression.task else ""
            for _ in shown(compression.reports(), quality_name, self.quiet):
                if stop.requested:
                    raise Stopped("stopped; no file is written.", {"out": None})
        self.say("encoding and evaluating")
        result: dict[str, Any] = compression.finish()
        result["measure"] = quality_name or None
        if result.get("note"):
            result["note"] = with_flags(str(result["note"]), type(self))
        return result
