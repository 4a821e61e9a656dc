"""What the page asks for every second: how the jobs stand, as plain values from the disk."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldlr.app.workspace import Workspace
from fieldlr.jobs import Job
from fieldlr.system.json import without_nan
from fieldlr.training.tasks import OccupancyTask, RadianceTask

# However many pages ask, the disk is read this often.
FRESH_SECONDS = 0.5
MOST_POINTS = 160
QUALITY_NAMES = {"photos": RadianceTask.quality_name}


class Live:
    """The state of a workspace's jobs, read seldom and told often."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._known: dict[str, tuple[float, Any]] = {}
        self._histories: dict[str, History] = {}
        self._lock = threading.Lock()

    def jobs(self) -> list[dict[str, Any]]:
        """A line a job, the newest first."""
        return self._fresh("", self._jobs)

    def job(self, job_id: str) -> dict[str, Any]:
        """All that the page shows of one job. FieldlrError where there is none."""
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
                "reason": store.reason(job),
                "said": store.last_line(job) if state == "running" else "",
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
            "reason": store.reason(job),
            "said": store.last_line(job).removeprefix("fieldlr: "),
            "ahead": self._ahead(job) if state == "queued" else 0,
        }
        if plain["purpose"] == "fit":
            plain |= self._fit(job, state)
        return without_nan(plain)

    def _ahead(self, job: Job) -> int:
        """How many jobs of its lane come first."""
        store = self.workspace.store
        waiting = ("queued", "running")
        others = (j for j in store.jobs() if j.lane == job.lane and j.id < job.id)
        return sum(store.state(other) in waiting for other in others)

    def _fit(self, job: Job, state: str) -> dict[str, Any]:
        folder = self.workspace.run_folder(job)
        reports = self._histories.setdefault(job.id, History(folder / "history.jsonl")).read()
        run = self.workspace.store.result(job) or {}
        kind = job.about.get("kind", "")
        last = reports[-1] if reports else {}
        progress = last.get("progress", 0.0)
        seconds = last.get("seconds", 0.0)
        left = seconds * (1.0 / progress - 1.0) if progress > 0 else None
        return {
            "kind": kind,
            "quality_name": QUALITY_NAMES.get(kind, OccupancyTask.quality_name),
            "progress": 1.0 if state == "done" else progress,
            "seconds_left": left if state == "running" else None,
            "step": last.get("step", 0),
            "loss": thinned([(r["seconds"], r["loss"]) for r in reports]),
            "quality": thinned([(r["seconds"], r["quality"]) for r in reports]),
            "final_quality": run.get("quality"),
            "preview": _version(folder / "preview.png"),
            "photo": (folder / "photo.png").exists(),
            "trained": (folder / "field.safetensors").exists(),
        }


class History:
    """The reports of a fit so far. What was read once is not read again: fits take hours."""

    def __init__(self, path: Path):
        self.path, self.size = path, 0
        self.reports: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """All reports; a line that is just being written is left for the next time."""
        with suppress(OSError, ValueError), open(self.path, "rb") as file:
            file.seek(self.size)
            whole, newline, _ = file.read().rpartition(b"\n")
            self.reports += [json.loads(line) for line in whole.splitlines()]
            self.size += len(whole) + len(newline)
        return self.reports


def thinned(points: list[tuple[float, float | None]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS of them, each the mean of its neighbours, so that noise shows less."""
    known = [(x, y) for x, y in points if y is not None]
    group = -(-len(known) // MOST_POINTS)
    if group <= 1:
        return known
    groups = (known[i : i + group] for i in range(0, len(known), group))
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def _version(path: Path) -> int | None:
    """Changes with the file; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
