"""The job store: a folder a job, whose files are the truth. Whoever reads them sees the same.

    jobs/ID/job.json      what was asked, by the asker
    jobs/ID/stop.json     that it should stop, by the asker
    jobs/ID/title.json    its name, by whoever renames it
    jobs/ID/process-N.json  which process the attempt N is, by that process
    jobs/ID/out.json      the verb's JSON, once it has ended
    jobs/ID/log.txt       what the verb said
    jobs/ID/end.json      how it ended, by the keeper, if it saw that

Each file has one writer. A job's state follows from them and from whether its process is alive, so
that it survives the death of the page, of the server, of the keeper and of the job itself.
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

# The exit code of a process that found its job to be another's.
CLAIMED = 75
# Keepers that this process has started: asked now and then, so that none stays a zombie.
KEEPERS: list[subprocess.Popen] = []

State = Literal["queued", "running", "done", "stopped", "failed"]
# Jobs of one lane come one after the other; what is short need not wait for a training.
Lane = Literal["train", "make"]
LANES: tuple[Lane, ...] = get_args(Lane)
KILLED = (
    "the process was killed, perhaps for lack of memory. What it had saved is kept: resume it, or "
    "try a smaller setting."
)
EARLY = "stopped before it had anything new to keep. Resume takes it up again."


@dataclass(frozen=True)
class Job:
    """A verb and its words, and what is known of the process that carries them out."""

    id: str
    title: str
    words: tuple[str, ...]  # of the command line, after `fieldlr`
    created: float  # seconds since 1970
    about: dict[str, Any] = dataclasses.field(default_factory=dict)  # the asker's own notes
    lane: Lane = "train"
    attempt: int = 0


class JobStore:
    """The jobs of a workspace."""

    def __init__(self, workspace: Path):
        self.workspace = Path(workspace).resolve()
        self.folder, self.trash = self.workspace / "jobs", self.workspace / "trash"
        make_folder(self.folder)

    def path(self, job_id: str | None, name: str = "") -> Path:
        """A job's folder, or a file in it. FieldlrError where there is no such job."""
        if not job_id:
            raise FieldlrError("nothing is chosen yet. Choose a run first, or train one.")
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
        """Queues `fieldlr WORDS` and sees to it that somebody will carry it out.

        `{job}` in a word stands for the job's own folder.
        """
        # Names sort by age: the queue is the order of the folders.
        job_id = f"{time.time_ns() // 1_000_000:013d}{secrets.token_hex(3)}"
        own = str(self.folder / job_id)
        words = tuple(str(word).replace("{job}", own) for word in words)
        job = Job(job_id, title, words, time.time(), about or {}, lane)
        make_folder(self.folder / job_id)
        self.write(job)
        self.wake(lane)
        return job

    def jobs(self) -> list[Job]:
        """All of them, oldest first."""
        places = sorted(self.folder.glob("*/job.json"))
        return [job for place in places if (job := _read(place)) is not None]

    def get(self, job_id: str | None) -> Job:
        """One of them; FieldlrError where there is none of this name."""
        job = _read(self.path(job_id, "job.json"))
        if job is None:
            raise FieldlrError(f"the job {job_id} cannot be read. Delete it and start again.")
        return job

    def state(self, job: Job) -> State:
        """What the files and the process say now."""
        end = self.end(job)
        if end is not None:
            return end["state"]
        process = self._process(job)
        if process is None:
            return "stopped" if self.stop_asked(job) else "queued"
        if is_alive(process["pid"], process["started"]):
            return "running"
        return self.outcome(job, None)["state"]

    def reason(self, job: Job) -> str:
        """Why a job has stopped or failed, in a sentence; empty where there is nothing to say."""
        if self.state(job) not in ("stopped", "failed"):
            return ""
        return (self.end(job) or self.outcome(job, None))["reason"]

    def pid(self, job: Job) -> int | None:
        """The process of the present attempt, if it has begun."""
        process = self._process(job)
        return None if process is None else process["pid"]

    def claim(self, job: Job) -> bool:
        """Makes the calling process that of the present attempt, unless another one is."""
        own = {"attempt": job.attempt, "pid": os.getpid(), "started": start_time(os.getpid())}
        draft = self.path(job.id, f".process-{os.getpid()}.json")
        write_json(draft, own)
        try:
            # A keeper may have died just after it started another process for this attempt.
            os.link(draft, self.path(job.id, f"process-{job.attempt}.json"))
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _process(self, job: Job) -> dict[str, Any] | None:
        return self._of_attempt(job, f"process-{job.attempt}.json")

    def stop_asked(self, job: Job) -> bool:
        """Whether the present attempt was asked to stop."""
        return self._of_attempt(job, "stop.json") is not None

    def end(self, job: Job) -> dict[str, Any] | None:
        """How the present attempt ended, if somebody saw it."""
        return self._of_attempt(job, "end.json")

    def _of_attempt(self, job: Job, name: str) -> dict[str, Any] | None:
        """What a file says of the present attempt."""
        path = self.folder / job.id / name
        try:
            plain = read_json(path) if path.exists() else None
        except FieldlrError:
            return None
        return plain if isinstance(plain, dict) and plain.get("attempt") == job.attempt else None

    def outcome(self, job: Job, code: int | None) -> dict[str, Any]:
        """How an attempt ended: by its exit code, or where nobody saw that, by what it left."""
        last = self.last_words(job)
        if code is None and self.result(job) is not None:
            code = 3 if last.startswith("fieldlr: stopped") else 0
        states: dict[int | None, State] = {0: "done", 3: "stopped"}
        state = states.get(code, "failed")
        if state == "failed" and self.stop_asked(job):
            return {"attempt": job.attempt, "state": "stopped", "code": code, "reason": EARLY}
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
        """The last line that the verb has said."""
        lines = [line.strip() for line in self.log(job).splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def stop(self, job_id: str) -> None:
        """Ends a job between two steps, with what is trained saved; a queued one never starts."""
        job = self.get(job_id)
        if self.state(job) not in ("queued", "running") or self.stop_asked(job):
            return  # A second signal would end it at once, and lose what it is about to save.
        write_json(self.path(job_id, "stop.json"), {"attempt": job.attempt})
        pid = self.pid(job) if self.state(job) == "running" else None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def resume(self, job_id: str, words: Sequence[str] | None = None) -> None:
        """Queues a job once more, by default with the words it had."""
        job = self.get(job_id)
        if self.state(job) in ("queued", "running"):
            return
        words = job.words if words is None else tuple(map(str, words))
        self.write(dataclasses.replace(job, words=words, attempt=job.attempt + 1))
        self.wake(job.lane)

    def rename(self, job_id: str, title: str) -> None:
        """Gives a job another name."""
        write_json(self.path(job_id, "title.json"), {"title": title})

    def delete(self, job_id: str) -> None:
        """Moves a job that does not run to the trash, from which `undelete` brings it back."""
        job = self.get(job_id)
        if self.state(job) == "running":
            raise FieldlrError(f"{job.title} is running. Stop it first.")
        make_folder(self.trash)
        os.replace(self.folder / job_id, self.trash / job_id)

    def undelete(self, job_id: str) -> None:
        """Brings a deleted job back; one that waited, waits again."""
        if not (job_id.isalnum() and (self.trash / job_id).is_dir()):
            raise FieldlrError(f"there is no deleted job {job_id!r}.")
        os.replace(self.trash / job_id, self.folder / job_id)
        self.wake(self.get(job_id).lane)

    def last_deleted(self) -> str | None:
        """The id of what was moved to the trash last."""
        places = self.trash.glob("*") if self.trash.is_dir() else ()
        latest = max(places, key=lambda place: place.stat().st_ctime_ns, default=None)
        return None if latest is None else latest.name

    def write(self, job: Job) -> None:
        """Notes what is asked."""
        write_json(self.folder / job.id / "job.json", dataclasses.asdict(job))

    def next_queued(self, lane: Lane) -> Job | None:
        """The oldest job that waits in a lane."""
        waiting = (job for job in self.jobs() if job.lane == lane and self.state(job) == "queued")
        return next(waiting, None)

    def wake(self, lane: Lane) -> None:
        """Starts a keeper of a lane; where there is one already, the new one ends at once."""
        KEEPERS[:] = [keeper for keeper in KEEPERS if keeper.poll() is None]
        words = [sys.executable, "-m", "fieldlr.jobs.keeper", str(self.workspace), lane]
        with open(self.folder / f"keeper-{lane}.log", "ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            KEEPERS.append(subprocess.Popen(words, **pipes, start_new_session=True))

    def start(self, job: Job) -> subprocess.Popen:
        """Runs a job in a process of its own, which no other process's end takes with it."""
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
    """A job from its file; None where that is gone or is not a job's."""
    try:
        plain = read_json(path)
        if (path.parent / "title.json").exists():
            plain |= read_json(path.parent / "title.json")
        return Job(**(plain | {"words": tuple(plain["words"])}))
    except (FieldlrError, OSError, KeyError, TypeError):
        return None
