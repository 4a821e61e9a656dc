"""Works over processes of this machine, some at a time."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Generator, Sequence
from queue import Empty, SimpleQueue

from fieldlr.jobs.workers.attempt import Attempt, Heard, event_of, stop_all
from fieldlr.jobs.workers.work import End, Event, Told, Work

RETRIES = 2
TICK_SECONDS = 0.5


def carry_out(works: Sequence[Work], workers: int = 1) -> Generator[Event | None, None, None]:
    """Does every work in a process of its own, `workers` at a time; yields what becomes of each.

    A process that dies costs its work that attempt; the work itself goes on from what it has
    saved. None comes now and then, where there is nothing to tell: a moment to look about. To stop
    is to stop pulling: the processes then save what they have, and end.
    """
    waiting, deaths = deque(works), Counter()
    under_way: dict[str, Attempt] = {}
    threads = max(1, num_threads() // workers)
    heard: Heard = SimpleQueue()
    try:
        while waiting or under_way:
            while waiting and len(under_way) < workers:
                work = waiting.popleft()
                under_way[work.name] = Attempt(work, threads, heard)
                yield Event(work.name, "began", {"where": "this machine"})
            try:
                attempt, told = heard.get(timeout=TICK_SECONDS)
            except Empty:
                yield None
                continue
            work = attempt.work
            if told is not None:
                yield Event(work.name, "progress", told)
                continue
            del under_way[work.name]
            kind, told = event_of(attempt.outcome)
            deaths[work.name] += kind == "died"
            if kind == "died" and deaths[work.name] <= RETRIES:
                waiting.appendleft(work)
            yield ended(work.name, kind, told, deaths[work.name])
    finally:
        stop_all(list(under_way.values()))


def ended(name: str, kind: End, told: Told, deaths: int) -> Event:
    """The event of an attempt's end; a death is retried, until there were too many."""
    if kind != "died":
        return Event(name, kind, told)
    if deaths <= RETRIES:
        return Event(name, "retried", told)
    return Event(name, "failed", {**told, "error": f"{deaths} times {told['cause']}."})


def num_threads() -> int:
    """Threads that this process may use: OMP_NUM_THREADS, else the cores it may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else num_cores()


def num_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
