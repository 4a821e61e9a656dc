"""Camera poses for photos that have none: a job whose result becomes a source."""

from __future__ import annotations

from collections.abc import Callable

from fieldlr.app.sources import add_posed
from fieldlr.app.workspace import StoredSource, Workspace
from fieldlr.data.posing_words import told
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job


def find_poses(workspace: Workspace, source: StoredSource) -> str:
    """Queues `fieldlr poses` for photos without poses, or a video; the job's id."""
    if source.kind != "unposed":
        raise FieldlrError(f"{source.name} already has camera poses. Train on it.")
    arguments = ["poses", str(source.path), "--out", "{job}/posed"]
    about = {"purpose": "poses", "source": source.id, "source_name": source.name}
    return workspace.store.submit(arguments, f"{source.name}, poses", about, lane="make").id


def collect_posed(workspace: Workspace, warn: Callable[[str], None]) -> list[StoredSource]:
    """New sources from the pose jobs that are done; each job gives one, once.

    `warn` is called with the reason where a result cannot become a source.
    """
    added = []
    for job in workspace.store.jobs():
        if job.about.get("purpose") != "poses" or workspace.store.state(job) != "done":
            continue
        try:
            # Only one of several pages may add it. A failure is permanent: no second try.
            workspace.store.path(job.id, "gathered").touch(exist_ok=False)
            result = workspace.store.result(job) or {}
            name = f"{job.about['source_name']}, {result['registered']} of {result['photos']} posed"
            notes = [*told(result), *result["warnings"]]
            folder = workspace.store.path(job.id, "posed")
            added.append(add_posed(workspace, name, folder, notes))
        except FileExistsError:
            continue
        except FieldlrError as error:
            warn(f"{job.title}: {error}")
    return added


def pose_job(workspace: Workspace, source_id: str) -> Job | None:
    """The latest pose job of a source."""
    jobs = reversed(workspace.store.jobs())
    about = {"purpose": "poses", "source": source_id}
    return next((job for job in jobs if about.items() <= job.about.items()), None)
