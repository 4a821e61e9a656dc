"""Whether something works here, tried in a process of its own: a native library may crash."""

from __future__ import annotations

import subprocess
import sys

PROBE_SECONDS = 60.0  # The first touch of a GPU alone can take ten.


def failure(statement: str, seconds: float = PROBE_SECONDS) -> str | None:
    """Why a statement fails in a fresh interpreter: the last line it leaves; None if it works."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", statement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {seconds:.0f} s"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"the process ended with {done.returncode}"
