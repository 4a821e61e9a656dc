"""Is a process alive, and is it the one that was meant?"""

from __future__ import annotations


def start_time(pid: int) -> float | None:
    """When a process began; None where there is none, or only what is left of one."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_alive(pid: int, started: float | None) -> bool:
    """Whether the process `pid` that began at `started` still runs."""
    return started is not None and start_time(pid) == started
