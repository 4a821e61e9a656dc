"""The library: what runs there are, and what may be done with them."""

from __future__ import annotations

from typing import Any

from fieldlr.app.forms import BYTES_PER_PARAMETER, size_of
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError

LONGEST_NAME = 80


def runs(workspace: Workspace) -> list[dict[str, Any]]:
    """The trainings as the page lists them, the newest first."""
    listed = []
    for job in workspace.trainings():
        preview = workspace.run_folder(job) / "preview.png"
        result = workspace.store.result(job) or {}
        numbers = job.about.get("num_parameters", 0)
        listed.append(
            {
                "id": job.id,
                "title": job.title,
                "state": workspace.store.state(job),
                "quality": _quality(job.about.get("kind", ""), result.get("quality")),
                "size": size_of(BYTES_PER_PARAMETER * numbers),
                "preview": preview.stat().st_mtime_ns if preview.exists() else None,
            }
        )
    return listed


def rename(workspace: Workspace, job_id: str, title: str) -> None:
    title = " ".join(title.split())
    if not 0 < len(title) <= LONGEST_NAME:
        raise FieldlrError(f"a name has 1 to {LONGEST_NAME} characters; got {len(title)}.")
    workspace.store.rename(job_id, title)


def undo(workspace: Workspace) -> str:
    """Brings back what was deleted last; its id."""
    job_id = workspace.store.last_deleted()
    if job_id is None:
        raise FieldlrError("nothing was deleted.")
    workspace.store.undelete(job_id)
    return job_id


def _quality(kind: str, quality: float | None) -> str:
    if quality is None:
        return ""
    return f"PSNR {quality:.2f} dB" if kind == "photos" else f"IoU {quality:.4f}"
