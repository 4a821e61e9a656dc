"""A work: something done in a process of its own, and what that process says of it.

The process is `python -m MODULE`. It reads its settings, one line of JSON, from standard input,
and tells how it goes, a line of JSON each, on standard output. The end of standard input asks it
to stop; that is also what it sees when whoever started it dies, so that no process is left over.
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

# A work that is asked to stop has this long to save what it has.
GRACE_SECONDS = 20.0
STOPPED = 3

Told = dict[str, Any]  # plain values
Kind = Literal["began", "progress", "retried", "done", "failed"]
# How an attempt at a work ends.
End = Literal["done", "failed", "died"]


@dataclass(frozen=True)
class Work:
    """What to do: a module that calls `serve`, and what it is told. All of it is plain values."""

    name: str
    module: str
    settings: Told


@dataclass(frozen=True)
class Event:
    """What has become of a work.

    `began`: `where` names the worker. `progress`: what the work itself tells. `retried`: an
    attempt died, `cause` says how, and another begins. `done`: what the work gives. `failed`:
    `error` is a sentence, `log` what the process said.
    """

    name: str
    kind: Kind
    told: Told


# What carries out works, and yields what becomes of them; None where nothing has.
Carry = Callable[[Sequence[Work]], Generator[Event | None, None, None]]


def serve(work: Callable[[Told], Generator[Told, None, Told]]) -> None:
    """The main of a module that does a work: yields how it goes, returns what it gives.

    To stop is to stop pulling, as everywhere: the generator is closed and saves what it has.
    """
    # What libraries print must not be taken for what the work tells.
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.buffer.readline())
    stop = threading.Event()
    threading.Thread(target=_await_stop, args=(stop,), daemon=True).start()

    def tell(told: Told) -> None:
        try:
            out.write(json.dumps(told) + "\n")
        except BrokenPipeError:
            stop.set()  # Nobody listens any more.

    try:
        reports = work(settings)
        told = {}
        while "done" not in told and not stop.is_set():
            told = _next(reports)
            tell(told)
        reports.close()
    except FieldlrError as error:
        tell({"failed": str(error)})
    except OSError as error:
        tell({"failed": f"{error.filename or 'the system'}: {error.strerror or error}."})
    except Exception as error:
        traceback.print_exc()
        tell({"failed": f"a bug in fieldlr: {type(error).__name__}: {error}"})
    os._exit(0 if not stop.is_set() else STOPPED)


def _next(reports: Generator[Told, None, Told]) -> Told:
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
