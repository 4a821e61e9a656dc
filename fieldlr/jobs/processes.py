"""Checks that a process is alive, and not another one with the same pid."""

from __future__ import annotations


def start_time(pid: int) -> float | None:
    """The start time of a process; None if there is none or it is a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_alive(pid: int, started: float | None) -> bool:
    """Whether the process `pid` started at `started` still runs."""
    return started is not None and start_time(pid) == started
