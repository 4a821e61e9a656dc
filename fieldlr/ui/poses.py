"""Poses for photos that have none: a job, whose result becomes a source."""

from __future__ import annotations

from fieldlr.errors import FieldlrError
from fieldlr.ui.checks import bring_posed
from fieldlr.ui.workspace import BroughtSource, Workspace


def find_poses(workspace: Workspace, source: BroughtSource) -> str:
    """Queues `fieldlr poses` for photos without poses; the job's id."""
    if source.kind != "unposed":
        raise FieldlrError(f"{source.name} has its poses already.")
    words = ["poses", str(source.path), "--out", "{job}/posed"]
    about = {"purpose": "poses", "source": source.id, "source_name": source.name}
    return workspace.store.submit(words, f"{source.name}, poses", about).id


def gather_posed(workspace: Workspace) -> list[BroughtSource]:
    """Sources from the pose jobs that are done and have not become one yet."""
    known = {source.path for source in workspace.sources()}
    gathered = []
    for job in workspace.store.jobs():
        folder = workspace.store.path(job.id, "posed")
        if job.about.get("purpose") != "poses" or folder in known:
            continue
        if workspace.store.state(job) == "done":
            gathered.append(bring_posed(workspace, f"{job.about['source_name']}, posed", folder))
    return gathered
