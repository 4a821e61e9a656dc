"""One attempt at a work item: its subprocess, its messages, and how to stop it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import IO

from fieldlr.jobs.workers.work import GRACE_SECONDS, Data, End, WorkItem

LOG_TAIL_BYTES = 8000
# As in `__main__`: threads that spin while waiting take cores from other processes.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}

Messages = SimpleQueue[tuple["Attempt", Data | None]]


class Attempt:
    """A subprocess that runs a work item.

    `messages` receives (attempt, data) for each progress message, and (attempt, None) at the end.
    Then `outcome` has a key `done`, `failed`, or `died` with the cause; before it is empty.
    """

    def __init__(self, work: WorkItem, threads: int, messages: Messages):
        self.work = work
        self.outcome: Data = {}
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", work.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=WAITING | os.environ | {"OMP_NUM_THREADS": str(threads)},
            start_new_session=True,  # The parent handles Ctrl-C and stops the process.
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self._stdin = self.process.stdin
        with suppress(BrokenPipeError):
            self._stdin.write(json.dumps(work.settings).encode() + b"\n")
            self._stdin.flush()
        output = self.process.stdout
        threading.Thread(target=self._listen, args=(output, messages), daemon=True).start()

    def _listen(self, output: IO[bytes], messages: Messages) -> None:
        with output as lines:
            for line in lines:
                data = json.loads(line)
                if "progress" in data:
                    messages.put((self, data["progress"]))
                else:
                    self.outcome = data
        self.process.wait()
        with suppress(BrokenPipeError):
            self._stdin.close()
        if not self.outcome:
            self.outcome = {"died": self._cause()}
        if "done" not in self.outcome:
            self.outcome["log"] = self._log_tail()
        self._errors.close()
        messages.put((self, None))

    def request_stop(self) -> None:
        """Asks the process to write a checkpoint and exit."""
        with suppress(BrokenPipeError):
            self._stdin.close()

    def wait_for_end(self) -> None:
        """Waits for the grace period of a stop, then kills the process."""
        try:
            self.process.wait(GRACE_SECONDS + 5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _cause(self) -> str:
        """Why a process ended without reporting an outcome."""
        code = self.process.returncode
        if code == -signal.SIGKILL:
            return "its process was killed, perhaps for lack of memory"
        if code < 0:
            return f"its process ended by signal {-code} ({signal.Signals(-code).name})"
        words = self._log_tail().strip().splitlines()
        return f"its process ended with code {code}{': ' + words[-1] if words else ''}"

    def _log_tail(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - LOG_TAIL_BYTES))
        return self._errors.read().decode(errors="replace")


def stop_all(attempts: list[Attempt]) -> None:
    """Stops processes, which write checkpoints first."""
    for attempt in attempts:
        attempt.request_stop()
    for attempt in attempts:
        attempt.wait_for_end()


def event_of(outcome: Data) -> tuple[End, Data]:
    """(kind, data) of an attempt's outcome; the kind is that of an event, or `died`."""
    log = outcome.get("log", "")
    if "done" in outcome:
        return "done", outcome["done"]
    if "failed" in outcome:
        return "failed", {"error": outcome["failed"], "log": log}
    return "died", {"cause": outcome["died"], "log": log}
