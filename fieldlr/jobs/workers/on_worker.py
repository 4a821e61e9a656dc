"""What a Dask worker does for a batch: a process beside it for every work that it is given."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from fieldlr.jobs.workers.attempt import Attempt, Heard, stop_all
from fieldlr.jobs.workers.local import TICK_SECONDS, num_cores
from fieldlr.jobs.workers.work import Told, Work
from fieldlr.system.version import __version__

TELL_SECONDS = 1.0


def look(folder: str, dask_worker: Any = None) -> Told:
    """What this worker is."""
    return {
        "version": __version__,
        "sees": Path(folder).is_dir(),
        "host": socket.gethostname(),
        "threads": dask_worker.state.nthreads,
        "gpus": dask_worker.state.total_resources.get("GPU", 0),
    }


def do(work: Work, topic: str, slots: dict[str, int]) -> Told:
    """Does a work in a process, tells how it goes, and gives how it ended."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def tell(kind: str, told: Told) -> None:
        worker.log_event(topic, {"name": work.name, "kind": kind, "told": told})

    tell("began", {"where": worker.address})
    # The cores of a host are for all of its workers' threads, each of which does a work.
    slots_here = slots.get(socket.gethostname()) or worker.state.nthreads or 1
    threads = max(1, num_cores() // slots_here)
    heard: Heard = SimpleQueue()
    last = 0.0
    attempt = Attempt(work, threads, heard)
    while True:
        with suppress(Empty):
            _, told = heard.get(timeout=TICK_SECONDS)
            if told is None:
                return attempt.outcome
            if time.monotonic() - last > TELL_SECONDS:
                tell("progress", told)
                last = time.monotonic()
        if not _is_wanted(worker, key):
            stop_all([attempt])
            return {"died": "its worker was stopped"}


def _is_wanted(worker: Any, key: Any) -> bool:
    """Whether somebody still waits for a task: not where it was cancelled or its client is gone."""
    task = worker.state.tasks.get(key)
    going = worker.status.name in ("running", "paused", "closing_gracefully")
    return going and task is not None and task.state == "executing"
