"""Is a process alive, and is it the one that was meant?"""

from __future__ import annotations

import os
import subprocess
import sys


def start_time(pid: int) -> float | None:
    """When a process began, in a unit of the system's own; None where there is no such process."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/stat") as file:
                # The second field is a name in brackets, which may hold anything.
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else float(fields[19])
    words = ["ps", "-o", "etimes=", "-p", str(pid)]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return 0.0 if found else None


def is_alive(pid: int, started: float | None) -> bool:
    """Whether the process `pid` that began at `started` still runs; a zombie does not."""
    reap(pid)
    return started is not None and start_time(pid) == started


def reap(pid: int) -> None:
    """Lets a child of this process that has ended go."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, OSError):
        pass
