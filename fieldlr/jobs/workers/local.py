"""Runs work items in subprocesses on this machine, several at a time."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue

from fieldlr.jobs.workers.attempt import Attempt, Messages, event_of, stop_all
from fieldlr.jobs.workers.work import Data, End, Event, WorkItem

RETRIES = 2
TICK_SECONDS = 0.5


def run_local(
    work_items: Sequence[WorkItem], workers: int = 1
) -> Generator[Event | None, None, None]:
    """Runs each work item in a subprocess, `workers` at a time; yields their events.

    A work item whose process dies is retried from its latest checkpoint. Yields None regularly when
    there is no event. Stop iterating to cancel: processes then write checkpoints and exit.
    """
    waiting, deaths = deque(work_items), Counter()
    running: dict[str, Attempt] = {}
    threads = max(1, num_threads() // workers)
    messages: Messages = SimpleQueue()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                work = waiting.popleft()
                running[work.name] = Attempt(work, threads, messages)
                yield Event(work.name, "began", {"where": "this machine"})
            try:
                attempt, data = messages.get(timeout=TICK_SECONDS)
            except Empty:
                yield None
                continue
            work = attempt.work
            if data is not None:
                yield Event(work.name, "progress", data)
                continue
            del running[work.name]
            kind, data = event_of(attempt.outcome)
            deaths[work.name] += kind == "died"
            if kind == "died" and deaths[work.name] <= RETRIES:
                waiting.appendleft(work)
            yield ended(work.name, kind, data, deaths[work.name])
    finally:
        stop_all(list(running.values()))


def ended(name: str, kind: End, data: Data, deaths: int) -> Event:
    """The event of an attempt's end; one that died is retried up to RETRIES times."""
    if kind != "died":
        return Event(name, kind, data)
    if deaths <= RETRIES:
        return Event(name, "retried", data)
    return Event(name, "failed", {**data, "error": f"{deaths} times {data['cause']}."})


def num_threads() -> int:
    """Threads that this process may use: OMP_NUM_THREADS, else its available cores."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return int(setting) if setting.isdecimal() and int(setting) else num_cores()


def num_cores() -> int:
    """Cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
