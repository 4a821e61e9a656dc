"""The job store: a folder a job, whose files are the truth. Whoever reads them sees the same.

    jobs/ID/job.json    what was asked, when, and which process runs it
    jobs/ID/out.json    the verb's JSON, once it has ended
    jobs/ID/log.txt     what the verb said
    jobs/ID/end.json    how it ended, as the keeper saw it

A job's state follows from these files and from whether its process is alive, so that it survives
the death of the page, of the server, of the keeper and of the job itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fieldlr.errors import FieldlrError
from fieldlr.jobs.processes import is_alive, start_time
from fieldlr.runs import make_folder, read_json, write_json

# Keepers that this process has started: asked now and then, so that none stays a zombie.
KEEPERS: list[subprocess.Popen] = []

State = Literal["queued", "running", "done", "stopped", "failed"]
KILLED = (
    "the process was killed, perhaps for lack of memory. What it had saved is kept: resume it, or "
    "try a smaller setting."
)


@dataclass(frozen=True)
class Job:
    """A verb and its words, and what is known of the process that carries them out."""

    id: str
    title: str
    words: tuple[str, ...]  # of the command line, after `fieldlr`
    created: float  # seconds since 1970
    about: dict[str, Any] = dataclasses.field(default_factory=dict)  # the asker's own notes
    attempt: int = 0
    pid: int | None = None
    pid_started: float | None = None  # tells a process from a later one with the same number
    stop_asked: bool = False

    @property
    def command(self) -> str:
        """What does the same in a terminal."""
        import shlex

        return shlex.join(["fieldlr", *self.words])


class JobStore:
    """The jobs of a workspace."""

    def __init__(self, workspace: Path):
        self.workspace = Path(workspace).resolve()
        self.folder, self.trash = self.workspace / "jobs", self.workspace / "trash"
        make_folder(self.folder)

    def path(self, job_id: str, name: str = "") -> Path:
        """A job's folder, or a file in it. FieldlrError where there is no such job."""
        if not (job_id.isalnum() and (self.folder / job_id / "job.json").exists()):
            raise FieldlrError(f"there is no job {job_id!r}. It may have been deleted.")
        return self.folder / job_id / name

    def submit(self, words: Sequence[str], title: str, about: dict[str, Any] | None = None) -> Job:
        """Queues `fieldlr WORDS` and sees to it that somebody will carry it out."""
        # Names sort by age: the queue is the order of the folders.
        job_id = f"{time.time_ns() // 1_000_000:013d}{secrets.token_hex(3)}"
        job = Job(job_id, title, tuple(map(str, words)), time.time(), about or {})
        make_folder(self.folder / job_id)
        self.write(job)
        self.wake()
        return job

    def jobs(self) -> list[Job]:
        """All of them, oldest first."""
        places = sorted(self.folder.glob("*/job.json"))
        return [job for place in places if (job := _read(place)) is not None]

    def get(self, job_id: str) -> Job:
        job = _read(self.path(job_id, "job.json"))
        if job is None:
            raise FieldlrError(f"the job {job_id} cannot be read. Delete it and start again.")
        return job

    def state(self, job: Job) -> State:
        """What the files and the process say now."""
        end = self.end(job)
        if end is not None:
            return end["state"]
        if job.pid is None:
            return "stopped" if job.stop_asked else "queued"
        if is_alive(job.pid, job.pid_started):
            return "running"
        return self.outcome(job, None)["state"]

    def reason(self, job: Job) -> str:
        """Why a job has stopped or failed, in a sentence; empty where there is nothing to say."""
        end = self.end(job)
        if end is None and job.pid is not None and not is_alive(job.pid, job.pid_started):
            end = self.outcome(job, None)
        return end["reason"] if end else ""

    def end(self, job: Job) -> dict[str, Any] | None:
        """How the present attempt ended, if somebody saw it."""
        path = self.folder / job.id / "end.json"
        end = read_json(path) if path.exists() else None
        return end if end and end.get("attempt") == job.attempt else None

    def outcome(self, job: Job, code: int | None) -> dict[str, Any]:
        """How an attempt ended: by its exit code, or where nobody saw that, by what it left."""
        last = self.last_words(job)
        if code is None and self.result(job) is not None:
            code = 3 if last.startswith("fieldlr: stopped") else 0
        state = {0: "done", 3: "stopped"}.get(code, "failed")
        if state == "failed" and job.stop_asked:
            return {"attempt": job.attempt, "state": "stopped", "code": code, "reason": ""}
        reason = ""
        if state != "done":
            reason = last.removeprefix("fieldlr: ") if last.startswith("fieldlr: ") else KILLED
        if state == "failed" and code == 1:
            reason = f"a bug in fieldlr: {last}"
        return {"attempt": job.attempt, "state": state, "code": code, "reason": reason}

    def result(self, job: Job) -> dict[str, Any] | None:
        """The JSON that the verb printed; None until it has."""
        try:
            return json.loads((self.folder / job.id / "out.json").read_text())
        except (OSError, ValueError):
            return None

    def log(self, job: Job) -> str:
        """What the verb has said so far."""
        try:
            return (self.folder / job.id / "log.txt").read_text(errors="replace")
        except OSError:
            return ""

    def last_words(self, job: Job) -> str:
        lines = [line.strip() for line in self.log(job).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def stop(self, job_id: str) -> None:
        """Ends a job between two steps, with what is trained saved; a queued one never starts."""
        job = dataclasses.replace(self.get(job_id), stop_asked=True)
        self.write(job)
        if self.state(job) == "running":
            os.kill(job.pid, signal.SIGTERM)

    def resume(self, job_id: str, words: Sequence[str] | None = None) -> None:
        """Queues a job once more, by default with the words it had."""
        job = self.get(job_id)
        if self.state(job) in ("queued", "running"):
            return
        words = job.words if words is None else tuple(map(str, words))
        again = dataclasses.replace(job, words=words, attempt=job.attempt + 1)
        self.write(dataclasses.replace(again, pid=None, pid_started=None, stop_asked=False))
        self.wake()

    def delete(self, job_id: str) -> None:
        """Moves a job that does not run to the trash, from which `undelete` brings it back."""
        job = self.get(job_id)
        if self.state(job) == "running":
            raise FieldlrError(f"{job.title} is running. Stop it first.")
        make_folder(self.trash)
        os.replace(self.folder / job_id, self.trash / job_id)

    def undelete(self, job_id: str) -> None:
        if not (job_id.isalnum() and (self.trash / job_id).is_dir()):
            raise FieldlrError(f"there is no deleted job {job_id!r}.")
        os.replace(self.trash / job_id, self.folder / job_id)

    def empty_trash(self) -> None:
        shutil.rmtree(self.trash, ignore_errors=True)

    def write(self, job: Job) -> None:
        write_json(self.folder / job.id / "job.json", dataclasses.asdict(job))

    def next_queued(self) -> Job | None:
        """The oldest job that waits."""
        return next((job for job in self.jobs() if self.state(job) == "queued"), None)

    def wake(self) -> None:
        """Starts a keeper of the queue; where there is one already, the new one ends at once."""
        KEEPERS[:] = [keeper for keeper in KEEPERS if keeper.poll() is None]
        nowhere = subprocess.DEVNULL
        words = [sys.executable, "-m", "fieldlr.jobs.keeper", str(self.workspace)]
        pipes = {"stdin": nowhere, "stdout": nowhere, "stderr": nowhere}
        KEEPERS.append(subprocess.Popen(words, **pipes, start_new_session=True))

    def start(self, job: Job) -> tuple[Job, subprocess.Popen]:
        """Runs a job in a process of its own, which no other process's end takes with it."""
        folder = self.folder / job.id
        with open(folder / "out.json", "wb") as out, open(folder / "log.txt", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "fieldlr", *job.words, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self.workspace,
                start_new_session=True,
            )
        now = self.get(job.id)  # It may have been asked to stop in the meantime.
        now = dataclasses.replace(now, pid=process.pid, pid_started=start_time(process.pid))
        self.write(now)
        if now.stop_asked:
            process.terminate()
        return now, process


def _read(path: Path) -> Job | None:
    """A job from its file; None where that is gone or is not a job's."""
    try:
        plain = read_json(path)
        return Job(**(plain | {"words": tuple(plain["words"])}))
    except (FieldlrError, OSError, KeyError, TypeError):
        return None
