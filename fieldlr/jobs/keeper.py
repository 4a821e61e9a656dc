"""The keeper of a lane, its queue runner: runs jobs one by one and records how each ended.

    python -m fieldlr.jobs.keeper WORKSPACE LANE

There is one per lane, ensured by a lock that is released when its process dies. It exits when the
queue is empty. A job whose keeper died keeps running; the next keeper waits for it.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import cast

from fieldlr.errors import FieldlrError
from fieldlr.jobs.store import CLAIMED, Job, JobStore, Lane
from fieldlr.system.files import lock
from fieldlr.system.json import write_json

POLL_SECONDS = 0.2
# An idle keeper waits this long for new jobs.
PATIENCE_SECONDS = 2.0


def keep(workspace: Path, lane: Lane) -> None:
    """Runs all queued jobs of a lane; returns when the queue is empty."""
    store = JobStore(workspace)
    with lock(store.folder / f".keeper-{lane}") as held:
        if not held:
            return
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < PATIENCE_SECONDS:
            # A job may be deleted at any moment; then it is skipped.
            with suppress(FieldlrError, OSError):
                _wait_for_running(store, lane)
                job = store.next_queued(lane)
                if job is not None:
                    _run(store, job)
                    idle_since = time.monotonic()
                    continue
            time.sleep(POLL_SECONDS)
    # A job may have arrived between the last check and the release of the lock.
    if store.next_queued(lane) is not None:
        store.wake(lane)


def _wait_for_running(store: JobStore, lane: Lane) -> None:
    """Waits for jobs started by an earlier keeper, and records how they ended."""
    for job in store.jobs():
        if job.lane != lane or store.pid(job) is None or store.end(job) is not None:
            continue
        while store.state(job) == "running":
            time.sleep(POLL_SECONDS)
        _record_end(store, job, None)


def _run(store: JobStore, job: Job) -> None:
    try:
        code = store.start(job).wait()
    except OSError as error:
        # Out of processes or disk space: a retry would fail as well.
        reason = f"it could not be started: {error.strerror or error}. Resume it later."
        end = {"attempt": job.attempt, "state": "failed", "code": None, "reason": reason}
        write_json(store.path(job.id, "end.json"), end)
        return
    _record_end(store, job, code)


def _record_end(store: JobStore, job: Job, code: int | None) -> None:
    if code == CLAIMED:
        return  # Another process has this job; it will be waited for.
    if code is not None and code < 0 and store.result(job) is not None:
        code = None  # It finished before it was killed.
    write_json(store.path(job.id, "end.json"), store.outcome(job, code))


if __name__ == "__main__":
    keep(Path(sys.argv[1]), cast(Lane, sys.argv[2]))  # as passed by `JobStore.wake`
