"""Poses for photos that have none: a job, whose result becomes a source."""

from __future__ import annotations

from collections.abc import Callable

from fieldlr.app.checks import bring_posed
from fieldlr.app.workspace import BroughtSource, Workspace
from fieldlr.data.posing_words import told
from fieldlr.errors import FieldlrError


def find_poses(workspace: Workspace, source: BroughtSource) -> str:
    """Queues `fieldlr poses` for photos without poses, or a video; the job's id."""
    if source.kind != "unposed":
        raise FieldlrError(f"{source.name} has its poses already.")
    words = ["poses", str(source.path), "--out", "{job}/posed"]
    about = {"purpose": "poses", "source": source.id, "source_name": source.name}
    return workspace.store.submit(words, f"{source.name}, poses", about, lane="make").id


def gather_posed(workspace: Workspace, complain: Callable[[str], None]) -> list[BroughtSource]:
    """Sources from the pose jobs that are done, each once, whoever asks first.

    `complain` hears why one did not become a source.
    """
    gathered = []
    for job in workspace.store.jobs():
        if job.about.get("purpose") != "poses" or workspace.store.state(job) != "done":
            continue
        try:
            # First come: two pages may look at once. What is no source now will not become one.
            workspace.store.path(job.id, "gathered").touch(exist_ok=False)
            result = workspace.store.result(job) or {}
            name = f"{job.about['source_name']}, {result['registered']} of {result['photos']} posed"
            notes = [*told(result), *result["warnings"]]
            folder = workspace.store.path(job.id, "posed")
            gathered.append(bring_posed(workspace, name, folder, notes))
        except FileExistsError:
            continue
        except FieldlrError as error:
            complain(f"{job.title}: {error}")
    return gathered
