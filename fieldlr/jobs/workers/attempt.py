"""One try at a work: its process, heard and stopped by whoever started it."""

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

from fieldlr.jobs.workers.work import GRACE_SECONDS, End, Told, Work

LAST_WORDS_BYTES = 8000
# As in `__main__`: threads that wait by spinning take the cores from other processes.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}

Heard = SimpleQueue[tuple["Attempt", Told | None]]


class Attempt:
    """A process that does a work.

    `heard` gets (attempt, told) for each progress, and (attempt, None) when there is an `outcome`:
    `done`, `failed`, or `died` with the cause; before that it is empty.
    """

    def __init__(self, work: Work, threads: int, heard: Heard):
        self.work = work
        self.outcome: Told = {}
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", work.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=WAITING | os.environ | {"OMP_NUM_THREADS": str(threads)},
            start_new_session=True,  # Ctrl-C is for the one who started it, and comes from him.
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self._stdin = self.process.stdin
        with suppress(BrokenPipeError):
            self._stdin.write(json.dumps(work.settings).encode() + b"\n")
            self._stdin.flush()
        said = self.process.stdout
        threading.Thread(target=self._listen, args=(said, heard), daemon=True).start()

    def _listen(self, said: IO[bytes], heard: Heard) -> None:
        with said as lines:
            for line in lines:
                told = json.loads(line)
                if "progress" in told:
                    heard.put((self, told["progress"]))
                else:
                    self.outcome = told
        self.process.wait()
        with suppress(BrokenPipeError):
            self._stdin.close()
        if not self.outcome:
            self.outcome = {"died": self._cause()}
        if "done" not in self.outcome:
            self.outcome["log"] = self._last_words()
        self._errors.close()
        heard.put((self, None))

    def ask_to_stop(self) -> None:
        """The work saves what it has, and ends."""
        with suppress(BrokenPipeError):
            self._stdin.close()

    def wait_for_end(self) -> None:
        """Waits for as long as a work may take to stop; then there is no more waiting."""
        try:
            self.process.wait(GRACE_SECONDS + 5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _cause(self) -> str:
        """Why a process ended that did not say so itself."""
        code = self.process.returncode
        if code == -signal.SIGKILL:
            return "its process was killed, perhaps for lack of memory"
        if code < 0:
            return f"its process ended by signal {-code} ({signal.Signals(-code).name})"
        words = self._last_words().strip().splitlines()
        return f"its process ended with code {code}{': ' + words[-1] if words else ''}"

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - LAST_WORDS_BYTES))
        return self._errors.read().decode(errors="replace")


def stop_all(attempts: list[Attempt]) -> None:
    """Ends processes, with what they have saved."""
    for attempt in attempts:
        attempt.ask_to_stop()
    for attempt in attempts:
        attempt.wait_for_end()


def event_of(outcome: Told) -> tuple[End, Told]:
    """(kind, what it tells) of how an attempt ended: an event's kind, or `died`."""
    log = outcome.get("log", "")
    if "done" in outcome:
        return "done", outcome["done"]
    if "failed" in outcome:
        return "failed", {"error": outcome["failed"], "log": log}
    return "died", {"cause": outcome["died"], "log": log}
