"""The workspace: the folder in which the app keeps everything.

sources/ID/source.json   a source: its name, its path, the facts found by the check
sources/ID/data/         its files; a bundled example stays where it is
jobs/ID/                 trainings, studies, videos, poses (see fieldlr.jobs), each with its run
trash/ID/                runs and sources deleted in the last thirty days
exports/                 files made for download
uploads/                 files sent by browsers that are not part of a source yet
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data.examples import EXAMPLES, example
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job, JobStore
from fieldlr.runs import Run, open_folder
from fieldlr.system.files import make_folder
from fieldlr.system.json import read_json, write_json

MARK = "fieldlr-workspace.json"
ID_DIGITS = 13


@dataclass(frozen=True)
class StoredSource:
    """Data added by the user, and the facts found in it."""

    id: str
    name: str
    path: Path
    kind: str  # photos, mesh, volume; or `unposed` for photos without poses
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def added(self) -> float:
        """When it was added, in seconds since 1970: ids begin with milliseconds."""
        return int(self.id[:ID_DIGITS]) / 1000.0


class Workspace:
    """The app's folder, created where it does not exist."""

    def __init__(self, folder: Path):
        self.folder = Path(folder).resolve()
        marked = self.folder / MARK
        if self.folder.exists() and not marked.exists() and any(self.folder.iterdir()):
            raise FieldlrError(
                f"the workspace must be empty or new; {self.folder} contains other files. Choose "
                "another folder with --workspace."
            )
        for name in ("sources", "exports", "uploads", "served"):
            make_folder(self.folder / name)
        if not marked.exists():
            write_json(marked, {"format": 1})
        self.store = JobStore(self.folder)

    def remove_old_files(self) -> None:
        """Removes old uploads and trash, exports of deleted runs and incomplete sources."""
        jobs, now = {job.id for job in self.store.jobs()}, time.time()
        nothing = (p for p in self.folder.glob("sources/*") if not (p / "source.json").exists())
        orphans = (p for p in self.folder.glob("exports/*") if p.name not in jobs)
        day, month = 86_400, 30 * 86_400
        old = [p for p in (*self.folder.glob("uploads/*"), *nothing) if _age(p, now) > day]
        old += [p for p in (*self.folder.glob("trash/*"), *orphans) if _age(p, now) > month]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)

    def new_source_folder(self) -> tuple[str, Path]:
        """(id, path) of a folder for a new source."""
        source_id = f"{time.time_ns() // 1_000_000:0{ID_DIGITS}d}{secrets.token_hex(3)}"
        folder = self.folder / "sources" / source_id
        make_folder(folder / "data")
        return source_id, folder

    def remove_source(self, source_id: str) -> None:
        """Removes a source."""
        shutil.rmtree(self._of(source_id), ignore_errors=True)

    def delete_source(self, source_id: str) -> None:
        """Moves a source to the trash; FieldlrError where runs of it are left."""
        name = self.source(source_id).name
        num_jobs = sum(job.about.get("source") == source_id for job in self.store.jobs())
        if num_jobs:
            raise FieldlrError(
                f"{name} is needed by {num_jobs} runs, studies or videos. Delete those first."
            )
        make_folder(self.store.trash)
        os.replace(self._of(source_id), self.store.trash / source_id)

    def restore(self, deleted_id: str) -> None:
        """Restores a deleted source or job."""
        place = self.store.trash / deleted_id
        if (place / "source.json").exists():
            os.replace(place, self._of(deleted_id))
        else:
            self.store.undelete(deleted_id)

    def add(
        self, source_id: str, name: str, path: Path, kind: str, facts: dict[str, Any]
    ) -> StoredSource:
        """Writes the description of a source; the source."""
        plain = {"name": name, "path": str(path), "kind": kind, "facts": facts}
        write_json(self._of(source_id) / "source.json", plain)
        return self.source(source_id)

    def source(self, source_id: str) -> StoredSource:
        """The source of an id; FieldlrError where it does not exist."""
        place = self._of(source_id) / "source.json"
        if not place.exists():
            raise FieldlrError("this source no longer exists. Choose another, or add it again.")
        plain = read_json(place)
        return StoredSource(
            source_id, plain["name"], Path(plain["path"]), plain["kind"], plain["facts"]
        )

    def sources(self) -> list[StoredSource]:
        """All sources, the newest first."""
        found = []
        for place in sorted(self.folder.glob("sources/*/source.json"), reverse=True):
            with suppress(FieldlrError, KeyError):  # A corrupt one is left out.
                found.append(self.source(place.parent.name))
        return found

    def drawing(self, source_id: str) -> Path:
        """The HTML page that shows a source's cameras or voxels."""
        return self._of(source_id) / "drawing.html"

    def _of(self, source_id: str) -> Path:
        if not source_id.isalnum():
            raise FieldlrError(f"there is no source {source_id!r}.")
        return self.folder / "sources" / source_id

    def run_folder(self, job: Job) -> Path:
        """The run folder of a training, or the folder of a study."""
        return self.store.path(job.id, "run")

    def run(self, job_id: str) -> Run:
        """The run of a training; FieldlrError with the reason where it has not started."""
        job = self.store.get(job_id)
        folder = self.run_folder(job)
        if not (folder / "config.json").exists():
            reason = self.store.reason(job)
            raise FieldlrError(
                reason or f"the training of {job.title} has not started yet. Try again in a moment."
            )
        return open_folder(folder)

    def trainings(self) -> list[Job]:
        """Trainings, the newest first."""
        return [j for j in reversed(self.store.jobs()) if j.about.get("purpose") == "fit"]

    def studies(self) -> list[Job]:
        """Studies, the newest first."""
        return [j for j in reversed(self.store.jobs()) if j.about.get("purpose") == "study"]


def _age(path: Path, now: float) -> float:
    """Seconds since a file or folder was changed, or moved to the trash."""
    try:
        status = path.stat()
    except FileNotFoundError:  # Removed meanwhile by another request.
        return 0.0
    return now - max(status.st_mtime, status.st_ctime if path.parent.name == "trash" else 0.0)


def example_paths() -> dict[str, Path]:
    """The paths of the bundled examples that are installed, by name."""
    found = {}
    for name in EXAMPLES:
        with suppress(FieldlrError):
            found[name] = example(name)
    return found
