"""Structure from motion: runs `structure_process` on a folder and reports its progress."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO, Any, cast

from fieldlr.errors import FieldlrError

# The tables of the database in which the progress of a stage is counted.
TABLES = {"features": "descriptors", "matching": "two_view_geometries"}


def find_structure(folder: Path) -> Generator[dict[str, Any], None, None]:
    """{"stage", "done"} a few times a second, and at last the findings (`structure_findings`).

    Close the generator to stop: the process is killed.
    """
    log = folder / "log.txt"
    with open(log, "w") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "fieldlr.data.structure_process", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process, which then ends it.
        )
    try:
        with cast("IO[str]", process.stdout) as lines:  # stdout=PIPE: there is one
            for line in lines:
                said = json.loads(line)
                if said.get("stage") in TABLES:
                    said["done"] = _rows(folder / "database.db", TABLES[said["stage"]])
                yield said
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if code:
        raise FieldlrError(
            f"pycolmap failed: {_reason(code, log)}. Try fewer or smaller photos, and check with "
            "fieldlr doctor that pycolmap works."
        )


def _rows(database: Path, table: str) -> int:
    """How many rows a table has by now; 0 before there is one.

    Only another process may look: pycolmap brings an SQLite of its own, and two of them on one
    file in one process undo each other's locks.
    """
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    except sqlite3.Error:
        return 0


def _reason(code: int, log: Path) -> str:
    """Why the process ended: its signal, or the last line of its log."""
    if code == -signal.SIGKILL:
        return "it was killed, perhaps out of memory"
    if code < 0:
        return f"it crashed ({signal.Signals(-code).name})"
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), f"it ended with {code}")
