"""The library: the lists of runs and sources, their size on disk, undoing a deletion."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldlr.app.labels import clock_time, quality_text, size_text
from fieldlr.app.measuring import measured
from fieldlr.app.workspace import Workspace, example_paths
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job

MAX_NAME = 80


def runs(workspace: Workspace) -> list[dict[str, Any]]:
    """The runs as the page lists them, the newest first."""
    listed = []
    for job in workspace.trainings():
        preview = workspace.run_folder(job) / "preview.png"
        listed.append(
            {
                "id": job.id,
                "title": job.title,
                "state": workspace.store.state(job),
                "settings": job.about.get("settings", ""),
                "created": clock_time(job.created),
                "quality": quality_text(job.about.get("kind", ""), measured(workspace, job)),
                "size": _file_size(workspace, job),
                "preview": preview.stat().st_mtime_ns if preview.exists() else None,
            }
        )
    return listed


def matches(run: dict[str, Any], words: str) -> bool:
    """Whether each word of a search is in what the page shows of a run."""
    text = " ".join(str(value) for key, value in run.items() if key not in ("id", "preview"))
    return all(word in text.lower() for word in words.lower().split())


def rename(workspace: Workspace, job_id: str, title: str) -> None:
    title = " ".join(title.split())
    if not 0 < len(title) <= MAX_NAME:
        raise FieldlrError(f"a name must have 1 to {MAX_NAME} characters; got {len(title)}.")
    workspace.store.rename(job_id, title)


def undo(workspace: Workspace) -> str:
    """Restores the run or the source that was deleted last; its id."""
    deleted_id = workspace.store.last_deleted()
    if deleted_id is None:
        raise FieldlrError("there is no deleted run or source to restore.")
    workspace.restore(deleted_id)
    return deleted_id


def sources(workspace: Workspace) -> list[dict[str, Any]]:
    """The sources as the page lists them, the newest first."""
    return [
        {
            "id": source.id,
            "title": source.name,
            "picture": source.name if source.path == example_paths().get(source.name) else "",
            "created": clock_time(source.added),
            "kind": "photos without poses" if source.kind == "unposed" else source.kind,
            "size": size_text(folder_size(workspace.folder / "sources" / source.id)),
        }
        for source in workspace.sources()
    ]


def disk_use(workspace: Workspace) -> str:
    """What the workspace takes on disk, in a sentence."""
    names = {"sources": "sources", "jobs": "runs", "exports": "exports", "trash": "deleted items"}
    sizes = {text: folder_size(workspace.folder / name) for name, text in names.items()}
    parts = ", ".join(f"{text} {size_text(size)}" for text, size in sizes.items() if size)
    kept = " Deleted items are kept for 30 days." if sizes["deleted items"] else ""
    return f"On disk: {size_text(sum(sizes.values()))}" + (f" ({parts}).{kept}" if parts else ".")


def folder_size(folder: Path) -> int:
    """The bytes of all files in a folder."""
    num_bytes = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # A running job replaces its files.
            num_bytes += path.stat().st_size if path.is_file() else 0
    return num_bytes


def _file_size(workspace: Workspace, job: Job) -> str:
    """The size of the run's smallest .flr file where one was made, else of its weights."""
    folder = workspace.run_folder(job)
    files = sorted(path.stat().st_size for path in folder.glob("*.flr"))
    if files:
        return f"{size_text(files[0])} as .flr"
    weights = folder / "field.safetensors"
    return f"{size_text(weights.stat().st_size)} of weights" if weights.exists() else ""
