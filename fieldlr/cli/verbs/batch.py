"""batch: many sources at once."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.spread import Spread
from fieldlr.cli.verbs.verb import Out, PartlyFailed, Stopped, Verb
from fieldlr.jobs.workers import Event


@dataclass(frozen=True, kw_only=True)
class Batch(Verb):
    """Fits all items of a manifest and writes their outputs. Rerun the same command to resume.

    Example: fieldlr batch tonight.yaml --out tonight
    """

    manifest: tyro.conf.Positional[
        Annotated[
            Path, tyro.conf.arg(metavar="MANIFEST", help="A .yaml with items: docs/batch.md.")
        ]
    ]
    out: Out
    """The folder of the batch: report.html, and a folder for each item."""
    spread: Spread

    def run(self) -> dict[str, Any]:
        from fieldlr.batch import Batch as WholeBatch
        from fieldlr.batch import read_manifest
        from fieldlr.cli.progress import printed
        from fieldlr.system.stopping import stop_requests

        carry = self.spread.carry(self.out)
        with stop_requests() as stop:
            manifest = read_manifest(self.manifest)
            for note in manifest.notes:
                self.say(f"note: {note}")
            batch = WholeBatch(manifest, self.out)
            try:
                result = batch.result()
                self.say(f"{len(result['items'])} items, {result['done']} of them done before")
                with closing(batch.reports(carry)) as reports:
                    for report in printed(reports, lambda r: r.progress, _line, self.quiet):
                        self._tell(report.event)
                        if stop.requested:
                            break
                result = batch.result()
            finally:
                batch.close()
        return self._ended(result, stop.requested)

    def _tell(self, event: Event | None) -> None:
        """A line for an event that needs one."""
        over = "\r\x1b[K" if sys.stderr.isatty() else ""  # The line of progress stands there.
        if event is not None and event.kind == "failed":
            self.say(f"{over}{event.name} failed: {event.data['error']}")
        if event is not None and event.kind == "retried":
            self.say(f"{over}{event.name} begins again: {event.data['cause']}")

    def _ended(self, result: dict[str, Any], stopped: bool) -> dict[str, Any]:
        if stopped and result["skipped"]:
            raise Stopped(
                f"stopped with {result['done']} of {len(result['items'])} items done, kept in "
                f"{self.out}. Rerun the same command to resume.",
                result,
            )
        if result["failed"]:
            raise PartlyFailed(
                f"{result['failed']} of {len(result['items'])} items failed; see "
                f"{self.out / 'report.html'}. Rerun the same command to retry them.",
                result,
            )
        return result


def _line(report: Any) -> str:
    from fieldlr.system.duration import duration

    left = report.seconds_left
    parts = [
        f"{report.progress:4.0%}",
        f"{report.done} of {report.total} done",
        f"{report.failed} failed" if report.failed else "",
        "" if left is None else f"{duration(left)} left",
    ]
    event = report.event
    if event is not None and event.kind == "progress":
        quality = event.data.get("quality")
        parts.append(f"{event.name}: {event.data['step']}")
        parts.append(f"quality ~ {quality:.4g}" if quality else "")
    return "  ".join(part for part in parts if part)
