"""The functions that run on a Dask worker: each work item in a subprocess of the worker."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from fieldlr.jobs.workers.attempt import Attempt, Messages, stop_all
from fieldlr.jobs.workers.local import TICK_SECONDS, num_cores
from fieldlr.jobs.workers.work import Data, WorkItem
from fieldlr.system.version import __version__

PROGRESS_SECONDS = 1.0


def describe_worker(folder: str, dask_worker: Any = None) -> Data:
    """Version, folder access and resources of this worker."""
    return {
        "version": __version__,
        "sees": Path(folder).is_dir(),
        "host": socket.gethostname(),
        "threads": dask_worker.state.nthreads,
        "gpus": dask_worker.state.total_resources.get("GPU", 0),
    }


def run_work_item(work: WorkItem, topic: str, slots: dict[str, int]) -> Data:
    """Runs a work item in a subprocess, sends its progress, and returns its outcome."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def send(kind: str, data: Data) -> None:
        worker.log_event(topic, {"name": work.name, "kind": kind, "data": data})

    send("began", {"where": worker.address})
    # The cores of a host are shared by all threads of its workers, each with one work item.
    slots_here = slots.get(socket.gethostname()) or worker.state.nthreads or 1
    threads = max(1, num_cores() // slots_here)
    messages: Messages = SimpleQueue()
    last = 0.0
    attempt = Attempt(work, threads, messages)
    while True:
        with suppress(Empty):
            _, data = messages.get(timeout=TICK_SECONDS)
            if data is None:
                return attempt.outcome
            if time.monotonic() - last > PROGRESS_SECONDS:
                send("progress", data)
                last = time.monotonic()
        if not _is_wanted(worker, key):
            stop_all([attempt])
            return {"died": "its worker was stopped"}


def _is_wanted(worker: Any, key: Any) -> bool:
    """Whether a task is still wanted: not cancelled, and its client is connected."""
    task = worker.state.tasks.get(key)
    going = worker.status.name in ("running", "paused", "closing_gracefully")
    return going and task is not None and task.state == "executing"
