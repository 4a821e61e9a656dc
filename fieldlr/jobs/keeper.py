"""The keeper of a lane: starts one job after the other, and notes how each ended.

    python -m fieldlr.jobs.keeper WORKSPACE LANE

There is one per lane, held by a lock that the system lets go of when its process dies. It ends
when nothing waits. A job that a dead keeper had started goes on; the next keeper waits for it.
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
# A keeper that finds nothing stays this long: a job may be on its way.
PATIENCE_SECONDS = 2.0


def keep(workspace: Path, lane: Lane) -> None:
    """Carries out all that is queued in a lane; returns when there is nothing left."""
    store = JobStore(workspace)
    with lock(store.folder / f".keeper-{lane}") as held:
        if not held:
            return
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < PATIENCE_SECONDS:
            # A job may be deleted at any moment: then there is nothing to do for it.
            with suppress(FieldlrError, OSError):
                _wait_for_running(store, lane)
                job = store.next_queued(lane)
                if job is not None:
                    _carry_out(store, job)
                    idle_since = time.monotonic()
                    continue
            time.sleep(POLL_SECONDS)
    # Something may have come between the last look and the end of the lock.
    if store.next_queued(lane) is not None:
        store.wake(lane)


def _wait_for_running(store: JobStore, lane: Lane) -> None:
    """Waits for jobs that an earlier keeper started, and notes the end of those that ended."""
    for job in store.jobs():
        if job.lane != lane or store.pid(job) is None or store.end(job) is not None:
            continue
        while store.state(job) == "running":
            time.sleep(POLL_SECONDS)
        _note(store, job, None)


def _carry_out(store: JobStore, job: Job) -> None:
    try:
        code = store.start(job).wait()
    except OSError as error:
        # No room for another process, or on the disk: the next try would end like this one.
        reason = f"it could not be started: {error.strerror or error}. Resume it later."
        end = {"attempt": job.attempt, "state": "failed", "code": None, "reason": reason}
        write_json(store.path(job.id, "end.json"), end)
        return
    _note(store, job, code)


def _note(store: JobStore, job: Job, code: int | None) -> None:
    if code == CLAIMED:
        return  # Another process has this job, and is waited for.
    if code is not None and code < 0 and store.result(job) is not None:
        code = None  # It was done before it was killed.
    write_json(store.path(job.id, "end.json"), store.outcome(job, code))


if __name__ == "__main__":
    keep(Path(sys.argv[1]), cast(Lane, sys.argv[2]))  # as `JobStore.wake` says it
