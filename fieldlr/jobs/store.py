"""The job store: a folder per job, whose files are the only state.

    jobs/ID/job.json      the command, written by the submitter
    jobs/ID/stop.json     a stop request, by the submitter
    jobs/ID/title.json    a new title, by whoever renames the job
    jobs/ID/process-N.json  the process of attempt N, by that process
    jobs/ID/out.json      the verb's JSON, once it has ended
    jobs/ID/log.txt       the verb's log
    jobs/ID/end.json      how it ended, by the keeper if it was running

Each file has one writer. A job's state is derived from them and from whether its process is alive,
so it survives the death of the web page, the server, the keeper and the job itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fieldlr.errors import FieldlrError
from fieldlr.jobs.processes import is_alive, start_time
from fieldlr.system.files import make_folder
from fieldlr.system.json import read_json, write_json

# The exit code of a process whose job is claimed by another one.
CLAIMED = 75
# Keepers started by this process, polled so that none stays a zombie.
KEEPERS: list[subprocess.Popen] = []

State = Literal["queued", "running", "done", "stopped", "failed"]
# Jobs of a lane run one by one; short jobs do not wait for a training.
Lane = Literal["train", "make"]
LANES: tuple[Lane, ...] = get_args(Lane)
KILLED = (
    "the process was killed, perhaps for lack of memory. Its latest checkpoint is kept: resume it, "
    "or use smaller settings."
)
EARLY = "stopped before the first new checkpoint. Press Resume to continue."


@dataclass(frozen=True)
class Job:
    """A verb with its arguments, and its place in the queue."""

    id: str
    title: str
    words: tuple[str, ...]  # the command line after `fieldlr`
    created: float  # seconds since 1970
    about: dict[str, Any] = dataclasses.field(default_factory=dict)  # the submitter's metadata
    lane: Lane = "train"
    attempt: int = 0


class JobStore:
    """The jobs of a workspace."""

    def __init__(self, workspace: Path):
        self.workspace = Path(workspace).resolve()
        self.folder, self.trash = self.workspace / "jobs", self.workspace / "trash"
        make_folder(self.folder)

    def path(self, job_id: str | None, name: str = "") -> Path:
        """A job's folder, or a file in it; raises FieldlrError if there is no such job."""
        if not job_id:
            raise FieldlrError("no run is selected. Select a run, or train one.")
        if not (job_id.isalnum() and (self.folder / job_id / "job.json").exists()):
            raise FieldlrError(f"there is no job {job_id!r}. It may have been deleted.")
        return self.folder / job_id / name

    def submit(
        self,
        words: Sequence[str],
        title: str,
        about: dict[str, Any] | None = None,
        lane: Lane = "train",
    ) -> Job:
        """Queues `fieldlr WORDS` and makes sure that a keeper runs it.

        `{job}` in a word is replaced by the job's folder.
        """
        # Ids sort by time: the queue is the order of the folders.
        job_id = f"{time.time_ns() // 1_000_000:013d}{secrets.token_hex(3)}"
        own = str(self.folder / job_id)
        words = tuple(str(word).replace("{job}", own) for word in words)
        job = Job(job_id, title, words, time.time(), about or {}, lane)
        make_folder(self.folder / job_id)
        self.write(job)
        self.wake(lane)
        return job

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        places = sorted(self.folder.glob("*/job.json"))
        return [job for place in places if (job := _read(place)) is not None]

    def get(self, job_id: str | None) -> Job:
        """The job of an id; raises FieldlrError if there is none."""
        job = _read(self.path(job_id, "job.json"))
        if job is None:
            raise FieldlrError(f"the job {job_id} cannot be read. Delete it and start again.")
        return job

    def state(self, job: Job) -> State:
        """The current state, derived from the files and the process."""
        end = self.end(job)
        if end is not None:
            return end["state"]
        process = self._process(job)
        if process is None:
            return "stopped" if self.stop_requested(job) else "queued"
        if is_alive(process["pid"], process["started"]):
            return "running"
        return self.outcome(job, None)["state"]

    def reason(self, job: Job) -> str:
        """Why a job stopped or failed; otherwise empty."""
        if self.state(job) not in ("stopped", "failed"):
            return ""
        return (self.end(job) or self.outcome(job, None))["reason"]

    def pid(self, job: Job) -> int | None:
        """The process id of the current attempt, if it has started."""
        process = self._process(job)
        return None if process is None else process["pid"]

    def claim(self, job: Job) -> bool:
        """Registers the calling process for the current attempt; False if another one has."""
        own = {"attempt": job.attempt, "pid": os.getpid(), "started": start_time(os.getpid())}
        draft = self.path(job.id, f".process-{os.getpid()}.json")
        write_json(draft, own)
        try:
            # A keeper may have started another process for this attempt just before it died.
            os.link(draft, self.path(job.id, f"process-{job.attempt}.json"))
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _process(self, job: Job) -> dict[str, Any] | None:
        return self._of_attempt(job, f"process-{job.attempt}.json")

    def stop_requested(self, job: Job) -> bool:
        """Whether a stop of the current attempt was requested."""
        return self._of_attempt(job, "stop.json") is not None

    def end(self, job: Job) -> dict[str, Any] | None:
        """How the current attempt ended, if a keeper recorded it."""
        return self._of_attempt(job, "end.json")

    def _of_attempt(self, job: Job, name: str) -> dict[str, Any] | None:
        """The content of a file if it is of the current attempt."""
        path = self.folder / job.id / name
        try:
            plain = read_json(path) if path.exists() else None
        except FieldlrError:
            return None
        return plain if isinstance(plain, dict) and plain.get("attempt") == job.attempt else None

    def outcome(self, job: Job, code: int | None) -> dict[str, Any]:
        """How an attempt ended, by its exit code or, if unknown, by its files."""
        last = self.last_line(job)
        if code is None and self.result(job) is not None:
            code = 3 if last.startswith("fieldlr: stopped") else 0
        states: dict[int | None, State] = {0: "done", 3: "stopped"}
        state = states.get(code, "failed")
        if state == "failed" and self.stop_requested(job):
            return {"attempt": job.attempt, "state": "stopped", "code": code, "reason": EARLY}
        reason = ""
        if state != "done":
            reason = last.removeprefix("fieldlr: ") if last.startswith("fieldlr: ") else KILLED
        if state == "failed" and code == 1:
            reason = f"a bug in fieldlr: {last}"
        return {"attempt": job.attempt, "state": state, "code": code, "reason": reason}

    def result(self, job: Job) -> dict[str, Any] | None:
        """The JSON printed by the verb; None before."""
        try:
            return json.loads((self.folder / job.id / "out.json").read_text())
        except (OSError, ValueError):
            return None

    def log(self, job: Job) -> str:
        """The verb's log so far."""
        try:
            return (self.folder / job.id / "log.txt").read_text(errors="replace")
        except OSError:
            return ""

    def last_line(self, job: Job) -> str:
        """The last line of the verb's log."""
        lines = [line.strip() for line in self.log(job).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def stop(self, job_id: str) -> None:
        """Stops a job after the current step, with a checkpoint; a queued one never starts."""
        job = self.get(job_id)
        if self.state(job) not in ("queued", "running") or self.stop_requested(job):
            return  # A second signal would end it at once, before it has written its checkpoint.
        write_json(self.path(job_id, "stop.json"), {"attempt": job.attempt})
        pid = self.pid(job) if self.state(job) == "running" else None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def resume(self, job_id: str, words: Sequence[str] | None = None) -> None:
        """Queues a job again, by default with the same words."""
        job = self.get(job_id)
        if self.state(job) in ("queued", "running"):
            return
        words = job.words if words is None else tuple(map(str, words))
        self.write(dataclasses.replace(job, words=words, attempt=job.attempt + 1))
        self.wake(job.lane)

    def rename(self, job_id: str, title: str) -> None:
        """Changes the title of a job."""
        write_json(self.path(job_id, "title.json"), {"title": title})

    def delete(self, job_id: str) -> None:
        """Moves a job that is not running to the trash; `undelete` restores it."""
        job = self.get(job_id)
        if self.state(job) == "running":
            raise FieldlrError(f"{job.title} is running. Stop it first.")
        make_folder(self.trash)
        os.replace(self.folder / job_id, self.trash / job_id)

    def undelete(self, job_id: str) -> None:
        """Restores a deleted job; a queued one is queued again."""
        if not (job_id.isalnum() and (self.trash / job_id).is_dir()):
            raise FieldlrError(f"there is no deleted job {job_id!r}.")
        os.replace(self.trash / job_id, self.folder / job_id)
        self.wake(self.get(job_id).lane)

    def last_deleted(self) -> str | None:
        """The id of what was deleted last: a job, or what else is moved to the trash."""
        places = self.trash.glob("*") if self.trash.is_dir() else ()
        latest = max(places, key=lambda place: place.stat().st_ctime_ns, default=None)
        return None if latest is None else latest.name

    def write(self, job: Job) -> None:
        """Writes job.json."""
        write_json(self.folder / job.id / "job.json", dataclasses.asdict(job))

    def next_queued(self, lane: Lane) -> Job | None:
        """The oldest queued job of a lane."""
        waiting = (job for job in self.jobs() if job.lane == lane and self.state(job) == "queued")
        return next(waiting, None)

    def wake(self, lane: Lane) -> None:
        """Starts a keeper of a lane; it exits at once if there is one already."""
        KEEPERS[:] = [keeper for keeper in KEEPERS if keeper.poll() is None]
        words = [sys.executable, "-m", "fieldlr.jobs.keeper", str(self.workspace), lane]
        with open(self.folder / f"keeper-{lane}.log", "ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            KEEPERS.append(subprocess.Popen(words, **pipes, start_new_session=True))

    def start(self, job: Job) -> subprocess.Popen:
        """Starts a job in a subprocess that outlives this process."""
        folder = self.folder / job.id
        words = [str(self.workspace), job.id, str(job.attempt)]
        with open(folder / "out.json", "ab") as out, open(folder / "log.txt", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "fieldlr.jobs.child", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=self.workspace,
                start_new_session=True,
            )


def _read(path: Path) -> Job | None:
    """A job from its file; None if missing or invalid."""
    try:
        plain = read_json(path)
        if (path.parent / "title.json").exists():
            plain |= read_json(path.parent / "title.json")
        return Job(**(plain | {"words": tuple(plain["words"])}))
    except (FieldlrError, OSError, KeyError, TypeError):
        return None
