"""Progress on the terminal: one line on standard error, with the time that is left."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from fieldlr.training import FitReport


def shown(reports: Iterable[FitReport], quality_name: str, quiet: bool) -> Iterator[FitReport]:
    """Hands reports on, and shows them: in place on a terminal, now and then elsewhere."""
    in_place, quality, next_tenth = sys.stderr.isatty(), None, 0
    for report in reports:
        yield report
        quality = report.quality if report.quality is not None else quality
        tenth = int(report.progress * 10)
        if quiet or not (in_place or tenth >= next_tenth):
            continue
        next_tenth = tenth + 1
        print(
            "\r\x1b[K" if in_place else "",
            fit_line(report, quality_name, quality),
            sep="",
            end="" if in_place and report.progress < 1.0 else "\n",
            file=sys.stderr,
            flush=True,
        )


def fit_line(report: FitReport, quality_name: str, quality: float | None) -> str:
    """How a fit stands, in a line."""
    parts = [
        f"{report.progress:4.0%}",
        f"step {report.step:,}",
        f"loss {report.loss:.4f}",
        "" if quality is None else f"{quality_name} ~ {quality:.4g}",
        "" if report.seconds_left is None else f"{duration(report.seconds_left)} left",
        f"restarted {report.restarts} x" if report.restarts else "",
    ]
    return "  ".join(part for part in parts if part)


def counted(items: Iterable, total: int, noun: str, quiet: bool) -> Iterator:
    """Hands items on and counts them on standard error."""
    for number, item in enumerate(items, 1):
        yield item
        if not quiet and sys.stderr.isatty():
            end = "\n" if number == total else ""
            print(f"\r\x1b[K{noun} {number} of {total}", end=end, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
