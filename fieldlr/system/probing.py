"""Tests in a subprocess whether something works: a native library may crash."""

from __future__ import annotations

import subprocess
import sys

PROBE_SECONDS = 60.0  # The first use of a GPU alone can take ten.


def failure(statement: str, seconds: float = PROBE_SECONDS) -> str | None:
    """The last error line of a statement in a new interpreter; None if it succeeds."""
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
        return f"no response in {seconds:.0f} s"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
