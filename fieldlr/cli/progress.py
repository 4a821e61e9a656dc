"""Progress on the terminal: one line on standard error, with the time that is left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from fieldlr.system.duration import duration
from fieldlr.system.lines import put
from fieldlr.training.loop import FitReport

Report = TypeVar("Report")
Item = TypeVar("Item")


def shown(reports: Iterable[FitReport], quality_name: str, quiet: bool) -> Iterator[FitReport]:
    """Passes the reports of a fit on and displays them."""
    quality = None

    def line(report: FitReport) -> str:
        nonlocal quality
        quality = report.quality if report.quality is not None else quality
        return fit_line(report, quality_name, quality)

    return printed(reports, lambda report: report.progress, line, quiet)


def printed(
    reports: Iterable[Report],
    progress: Callable[[Report], float],
    line: Callable[[Report], str],
    quiet: bool,
) -> Iterator[Report]:
    """Passes reports on and prints a line for each: in place on a terminal, else every tenth."""
    in_place, next_tenth = sys.stderr.isatty(), 0
    for report in reports:
        yield report
        share, text = progress(report), line(report)
        if quiet or not (in_place or int(share * 10) >= next_tenth):
            continue
        next_tenth = int(share * 10) + 1
        end = "" if in_place and share < 1.0 else "\n"
        put(("\r\x1b[K" if in_place else "") + text, sys.stderr, end)


def fit_line(report: FitReport, quality_name: str, quality: float | None) -> str:
    """The status of a fit in one line."""
    parts = [
        f"{report.progress:4.0%}",
        f"step {report.step:,}",
        f"loss {report.loss:.4f}",
        "" if quality is None else f"{quality_name} ~ {quality:.4g}",
        "" if report.seconds_left is None else f"{duration(report.seconds_left)} left",
        f"restarted {report.restarts} x" if report.restarts else "",
    ]
    return "  ".join(part for part in parts if part)


def counted(items: Iterable[Item], total: int, noun: str, quiet: bool) -> Iterator[Item]:
    """Passes items on and counts them on standard error."""
    for number, item in enumerate(items, 1):
        yield item
        if not quiet and sys.stderr.isatty():
            end = "\n" if number == total else ""
            put(f"\r\x1b[K{noun} {number} of {total}", sys.stderr, end)
