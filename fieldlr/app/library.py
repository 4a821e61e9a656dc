"""The library: the list of runs; renaming and undoing a deletion."""

from __future__ import annotations

from typing import Any

from fieldlr.app.labels import clock_time, quality_text, size_text
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job

MAX_NAME = 80


def runs(workspace: Workspace) -> list[dict[str, Any]]:
    """The runs as the page lists them, the newest first."""
    listed = []
    for job in workspace.trainings():
        preview = workspace.run_folder(job) / "preview.png"
        result = workspace.store.result(job) or {}
        listed.append(
            {
                "id": job.id,
                "title": job.title,
                "state": workspace.store.state(job),
                "settings": job.about.get("settings", ""),
                "created": clock_time(job.created),
                "quality": quality_text(job.about.get("kind", ""), result.get("quality")),
                "size": _file_size(workspace, job),
                "preview": preview.stat().st_mtime_ns if preview.exists() else None,
            }
        )
    return listed


def rename(workspace: Workspace, job_id: str, title: str) -> None:
    title = " ".join(title.split())
    if not 0 < len(title) <= MAX_NAME:
        raise FieldlrError(f"a name must have 1 to {MAX_NAME} characters; got {len(title)}.")
    workspace.store.rename(job_id, title)


def undo(workspace: Workspace) -> str:
    """Restores the run that was deleted last; its id."""
    job_id = workspace.store.last_deleted()
    if job_id is None:
        raise FieldlrError("there is no deleted run to restore.")
    workspace.store.undelete(job_id)
    return job_id


def _file_size(workspace: Workspace, job: Job) -> str:
    """The size of the run's smallest .flr file where one was made, else of its weights."""
    folder = workspace.run_folder(job)
    files = sorted(path.stat().st_size for path in folder.glob("*.flr"))
    if files:
        return f"{size_text(files[0])} as .flr"
    weights = folder / "field.safetensors"
    return f"{size_text(weights.stat().st_size)} of weights" if weights.exists() else ""
