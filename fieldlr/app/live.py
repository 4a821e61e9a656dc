"""The status of jobs as plain values read from disk; the page polls it every second."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldlr.app.labels import app_message, end_message, quality_text
from fieldlr.app.measuring import measured, measured_on, quality_name
from fieldlr.app.timing import Phase, phase_of
from fieldlr.app.workspace import Workspace
from fieldlr.jobs import Job, JobStore
from fieldlr.system.json import without_nan

# The disk is read at most this often, however many pages poll.
FRESH_SECONDS = 0.5
MAX_POINTS = 160


class Live:
    """The status of a workspace's jobs, cached for FRESH_SECONDS."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._known: dict[str, tuple[float, Any]] = {}
        self._histories: dict[str, History] = {}
        self._lock = threading.Lock()

    def jobs(self) -> list[dict[str, Any]]:
        """A summary of each job, the newest first."""
        return self._fresh("", self._jobs)

    def job(self, job_id: str) -> dict[str, Any]:
        """Everything the page shows of a job; FieldlrError where it does not exist."""
        self.workspace.store.path(job_id)
        return self._fresh(job_id, lambda: self._job(job_id))

    def _fresh(self, key: str, read: Callable[[], Any]) -> Any:
        with self._lock:
            when, value = self._known.get(key, (0.0, None))
            if time.monotonic() - when > FRESH_SECONDS:
                value = read()
                if len(self._known) > 64:
                    self._known.clear()
                self._known[key] = (time.monotonic(), value)
            return value

    def _jobs(self) -> list[dict[str, Any]]:
        store = self.workspace.store
        return [
            {
                "id": job.id,
                "title": job.title,
                "purpose": job.about.get("purpose", ""),
                "state": (state := store.state(job)),
                "reason": end_message(store, job),
                "said": _last_line(store, job) if state == "running" else "",
            }
            for job in reversed(store.jobs())
        ]

    def _job(self, job_id: str) -> dict[str, Any]:
        store = self.workspace.store
        job = store.get(job_id)
        state = store.state(job)
        plain = {
            "id": job.id,
            "title": job.title,
            "purpose": job.about.get("purpose", ""),
            "state": state,
            "stopping": state == "running" and store.stop_requested(job),
            "reason": end_message(store, job),
            "warnings": [app_message(text) for text in _warnings(store, job)],
            "said": _last_line(store, job),
            "ahead": self._ahead(job) if state == "queued" else 0,
        }
        if plain["purpose"] == "fit":
            plain |= self._fit(job, state)
        return without_nan(plain)

    def _ahead(self, job: Job) -> int:
        """The number of jobs before it in its queue."""
        store = self.workspace.store
        waiting = ("queued", "running")
        others = (j for j in store.jobs() if j.lane == job.lane and j.id < job.id)
        return sum(store.state(other) in waiting for other in others)

    def _fit(self, job: Job, state: str) -> dict[str, Any]:
        folder = self.workspace.run_folder(job)
        reports = self._histories.setdefault(job.id, History(folder / "history.jsonl")).read()
        ended = state not in ("queued", "running")
        quality = measured(self.workspace, job) if ended else None
        kind = job.about.get("kind", "")
        last = reports[-1] if reports else {}
        phase = Phase("done", 1.0)
        if state == "running":
            # After a resume the history holds steps of an earlier attempt, whose start is unknown.
            begun = _modified(folder / "config.json") if job.attempt == 0 else None
            samples = job.about.get("evaluation_samples", 0)
            phase = phase_of(last, folder / "history.jsonl", samples, begun)
        elif state != "done":
            phase = Phase(state, last.get("progress", 0.0))
        return {
            "kind": kind,
            "quality_name": quality_name(kind),
            "settings": job.about.get("settings", ""),
            "phase": phase.name,
            "progress": phase.progress,
            "seconds_left": phase.seconds_left,
            "step": last.get("step", 0),
            "loss": downsampled([(r["seconds"], r["loss"]) for r in reports]),
            "quality": downsampled([(r["seconds"], r["quality"]) for r in reports]),
            "final_quality": quality,
            "measured_on": measured_on(self.workspace, job) if ended else "",
            "quality_text": quality_text(kind, quality) or _estimate(kind, state, reports),
            "preview": _version(folder / "preview.png"),
            "photo": (folder / "photo.png").exists(),
            "saved": _version(folder / "field.safetensors"),
        }


class History:
    """The reports of a training so far, read incrementally: trainings take hours."""

    def __init__(self, path: Path):
        self.path, self.size = path, 0
        self.reports: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """All reports; an incomplete last line is left for the next call."""
        with suppress(OSError, ValueError), open(self.path, "rb") as file:
            file.seek(self.size)
            whole, newline, _ = file.read().rpartition(b"\n")
            self.reports += [json.loads(line) for line in whole.splitlines()]
            self.size += len(whole) + len(newline)
        return self.reports


def downsampled(points: list[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """At most MAX_POINTS points, each the mean of a group of neighbours."""
    known = [(x, y) for x, y in points if y is not None]
    group = -(-len(known) // MAX_POINTS)
    if group <= 1:
        return known
    groups = (known[i : i + group] for i in range(0, len(known), group))
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _estimate(kind: str, state: str, reports: list[dict[str, Any]]) -> str:
    """What the last quick estimate of a training said that was stopped or has failed."""
    known = [report["quality"] for report in reports if report["quality"] is not None]
    if state not in ("stopped", "failed") or not known:
        return ""
    return f"{quality_text(kind, known[-1])}, a quick estimate"


def _warnings(store: JobStore, job: Job) -> list[str]:
    """What the result of a job warns of."""
    return (store.result(job) or {}).get("warnings", [])


def _last_line(store: JobStore, job: Job) -> str:
    """The last line that a job has printed, in the app's words."""
    return app_message(store.last_line(job).removeprefix("fieldlr: "))


def _modified(path: Path) -> float | None:
    """When a file was written, in seconds since 1970; None where there is none."""
    version = _version(path)
    return None if version is None else version / 1e9


def _version(path: Path) -> int | None:
    """A number that changes with the file; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
