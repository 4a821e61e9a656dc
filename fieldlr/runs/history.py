"""history.jsonl: the progress of a fit, one line per report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fieldlr.system.files import refused
from fieldlr.system.json import without_nan, write_whole
from fieldlr.training.loop import FitReport


@contextmanager
def history(path: Path, step: int) -> Iterator[Callable[[FitReport], None]]:
    """What adds a report to the history of a fit that is at `step`.

    Lines of later steps, of a fit that was killed after its last checkpoint, are taken back.
    """
    if path.exists():
        known = read_history(path)
        write_whole(path, b"".join(_line(report) for report in known if report["step"] <= step))
    try:
        file = open(path, "ab", buffering=0)  # Another process may be reading it.
    except OSError as error:
        raise refused(path, error) from None

    def add(report: FitReport) -> None:
        try:
            file.write(_line(dataclasses.asdict(report)))
        except OSError as error:
            raise refused(path, error) from None

    with file:
        yield add


def read_history(path: Path) -> list[dict[str, Any]]:
    """The reports of a history; a line that was never finished is none."""
    reports = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if isinstance(report, dict) and isinstance(report.get("step"), int):
            reports.append(report)
    return reports


def _line(report: dict[str, Any]) -> bytes:
    return json.dumps(without_nan(report)).encode() + b"\n"
