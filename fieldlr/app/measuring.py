"""The quality of a run: as its training measured it, and by `fieldlr eval` in the job queue."""

from __future__ import annotations

from pathlib import Path

from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job
from fieldlr.training.tasks import OccupancyTask, RadianceTask

ACTIVE = ("queued", "running")


def quality_name(kind: str) -> str:
    """The metric of a kind of source."""
    return (RadianceTask if kind == "photos" else OccupancyTask).quality_name


def measured(workspace: Workspace, job: Job) -> float | None:
    """The quality of a run as it was last saved; None where it was not measured.

    A training that ends by itself measures it, on a part of its source where all of it takes long
    (`measured_on`); the exact one is that of the latest measurement.
    """
    exact = _exact(workspace, job)
    return (workspace.store.result(job) or {}).get("quality") if exact is None else exact


def measured_on(workspace: Workspace, job: Job) -> str:
    """What the quality of a run was measured on, where that is only a part of its source."""
    if _exact(workspace, job) is not None:
        return ""
    return (workspace.store.result(job) or {}).get("measured_on") or ""


def can_measure(workspace: Workspace, job: Job) -> bool:
    """Whether a run has a field whose exact quality is neither known nor being measured."""
    if workspace.store.state(job) in ACTIVE or _saved(workspace, job) is None:
        return False
    latest = _latest(workspace, job)
    active = latest is not None and workspace.store.state(latest) in ACTIVE
    unknown = measured(workspace, job) is None or measured_on(workspace, job) != ""
    return not active and unknown


def measure(workspace: Workspace, job_id: str) -> str:
    """Queues the full evaluation of a run; the new job's id."""
    job = workspace.store.get(job_id)
    if not can_measure(workspace, job):
        raise FieldlrError(f"the exact quality of {job.title} is known or being measured already.")
    about = {"purpose": "measure", "of": job.id, "saved": _saved(workspace, job)}
    words = ["eval", str(workspace.run(job_id).folder)]
    return workspace.store.submit(words, f"{job.title}, exact quality", about, lane="make").id


def _exact(workspace: Workspace, job: Job) -> float | None:
    """The quality by the latest measurement of all of a run's source."""
    latest = _latest(workspace, job)
    result = (latest and workspace.store.result(latest)) or {}
    return result.get(quality_name(job.about.get("kind", "")))


def _latest(workspace: Workspace, job: Job) -> Job | None:
    """The latest measurement of a run's field as it is saved now."""
    saved = _saved(workspace, job)
    for other in reversed(workspace.store.jobs()):
        about = other.about
        if about.get("purpose") == "measure" and about["of"] == job.id and about["saved"] == saved:
            return other
    return None


def _saved(workspace: Workspace, job: Job) -> int | None:
    """A number that tells checkpoints of a field apart; None before the first."""
    path: Path = workspace.run_folder(job) / "field.safetensors"
    return path.stat().st_mtime_ns if path.exists() else None
