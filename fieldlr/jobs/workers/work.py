"""Work items, which run in subprocesses, and the messages of these processes.

The process is `python -m MODULE`. It reads its settings, one line of JSON, from standard input and
writes progress messages, one line of JSON each, to standard output. The end of standard input is a
request to stop; it also comes when the parent dies, so that no orphan is left.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fieldlr.errors import FieldlrError

# The grace period for a process to write a checkpoint after a stop request.
GRACE_SECONDS = 20.0
STOPPED = 3

Data = dict[str, Any]  # plain values
Kind = Literal["began", "progress", "retried", "done", "failed"]
# How an attempt at a work item ends.
End = Literal["done", "failed", "died"]


@dataclass(frozen=True)
class WorkItem:
    """A module that calls `serve`, and its settings, in plain values."""

    name: str
    module: str
    settings: Data


@dataclass(frozen=True)
class Event:
    """An event of a work item.

    The data of each kind: `began`: `where`, the worker. `progress`: the work item's own.
    `retried`, after an attempt died: `cause`. `done`: the result. `failed`: `error`, a message, and
    `log`, the end of the process's log.
    """

    name: str
    kind: Kind
    data: Data


# Runs work items and yields their events, or None regularly.
Executor = Callable[[Sequence[WorkItem]], Generator[Event | None, None, None]]


def serve(work: Callable[[Data], Generator[Data, None, Data]]) -> None:
    """The main function of a work item's module: `work` yields progress and returns the result.

    On a stop request the generator is closed, and writes a checkpoint.
    """
    # Keep output printed by libraries apart from messages.
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.buffer.readline())
    stop = threading.Event()
    threading.Thread(target=_await_stop, args=(stop,), daemon=True).start()

    def send(data: Data) -> None:
        try:
            out.write(json.dumps(data) + "\n")
        except BrokenPipeError:
            stop.set()  # The parent is gone.

    try:
        reports = work(settings)
        data = {}
        while "done" not in data and not stop.is_set():
            data = _next(reports)
            send(data)
        reports.close()
    except FieldlrError as error:
        send({"failed": str(error)})
    except OSError as error:
        send({"failed": f"{error.filename or 'the system'}: {error.strerror or error}."})
    except Exception as error:
        traceback.print_exc()
        send({"failed": f"a bug in fieldlr: {type(error).__name__}: {error}"})
    os._exit(0 if not stop.is_set() else STOPPED)


def _next(reports: Generator[Data, None, Data]) -> Data:
    try:
        return {"progress": next(reports)}
    except StopIteration as end:
        return {"done": end.value}


def _await_stop(stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()
    time.sleep(GRACE_SECONDS)
    os._exit(STOPPED)
