"""The workspace: the one folder in which the app keeps everything.

sources/ID/source.json   what was brought: its name, where it lies, what a check found
sources/ID/data/         the files themselves; a bundled example stays where it is
jobs/ID/                 trainings, studies, videos, poses (see fieldlr.jobs), each with its run
trash/ID/                what was deleted in the last thirty days
exports/                 files made for download
uploads/                 what browsers have sent and nobody has taken yet
"""

from __future__ import annotations

import dataclasses
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


@dataclass(frozen=True)
class BroughtSource:
    """Data that somebody has brought, and what was found in it."""

    id: str
    name: str
    path: Path
    kind: str  # photos, mesh, volume; or `unposed` for photos without poses
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Workspace:
    """A folder of the app's own."""

    def __init__(self, folder: Path):
        self.folder = Path(folder).resolve()
        marked = self.folder / MARK
        if self.folder.exists() and not marked.exists() and any(self.folder.iterdir()):
            raise FieldlrError(
                f"the app wants a folder of its own; {self.folder} holds other things. Name an "
                "empty or a new one with --workspace."
            )
        for name in ("sources", "exports", "uploads", "served"):
            make_folder(self.folder / name)
        if not marked.exists():
            write_json(marked, {"format": 1})
        self.store = JobStore(self.folder)

    def sweep(self) -> None:
        """Removes what nobody will ask for: old uploads and trash, what came to nothing."""
        jobs, now = {job.id for job in self.store.jobs()}, time.time()
        nothing = (p for p in self.folder.glob("sources/*") if not (p / "source.json").exists())
        orphans = (p for p in self.folder.glob("exports/*") if p.name not in jobs)
        day, month = 86_400, 30 * 86_400
        old = [p for p in (*self.folder.glob("uploads/*"), *nothing) if _age(p, now) > day]
        old += [p for p in (*self.folder.glob("trash/*"), *orphans) if _age(p, now) > month]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)

    def new_folder(self) -> tuple[str, Path]:
        """(id, path) of a folder for a source that is on its way."""
        source_id = f"{time.time_ns() // 1_000_000:013d}{secrets.token_hex(3)}"
        folder = self.folder / "sources" / source_id
        make_folder(folder / "data")
        return source_id, folder

    def drop(self, source_id: str) -> None:
        """Removes a source that came to nothing."""
        shutil.rmtree(self._of(source_id), ignore_errors=True)

    def add(
        self, source_id: str, name: str, path: Path, kind: str, facts: dict[str, Any]
    ) -> BroughtSource:
        """Notes what a source is; the source."""
        plain = {"name": name, "path": str(path), "kind": kind, "facts": facts}
        write_json(self._of(source_id) / "source.json", plain)
        return self.source(source_id)

    def source(self, source_id: str) -> BroughtSource:
        """One of them; FieldlrError where it is gone."""
        place = self._of(source_id) / "source.json"
        if not place.exists():
            raise FieldlrError("that source is no longer here. Choose another, or bring it again.")
        plain = read_json(place)
        return BroughtSource(
            source_id, plain["name"], Path(plain["path"]), plain["kind"], plain["facts"]
        )

    def sources(self) -> list[BroughtSource]:
        """All of them, the newest first."""
        found = []
        for place in sorted(self.folder.glob("sources/*/source.json"), reverse=True):
            with suppress(FieldlrError, KeyError):  # A broken one hides itself alone.
                found.append(self.source(place.parent.name))
        return found

    def drawing(self, source_id: str) -> Path:
        """The page with a source's cameras, or its voxels."""
        return self._of(source_id) / "drawing.html"

    def _of(self, source_id: str) -> Path:
        if not source_id.isalnum():
            raise FieldlrError(f"there is no source {source_id!r}.")
        return self.folder / "sources" / source_id

    def run_folder(self, job: Job) -> Path:
        """Where a training puts its run, a study its fits."""
        return self.store.path(job.id, "run")

    def run(self, job_id: str) -> Run:
        """The run of a training that has begun; FieldlrError with the reason where it has not."""
        job = self.store.get(job_id)
        folder = self.run_folder(job)
        if not (folder / "config.json").exists():
            reason = self.store.reason(job)
            raise FieldlrError(reason or f"{job.title} has not begun to train yet. Wait a moment.")
        return open_folder(folder)

    def trainings(self) -> list[Job]:
        """The newest first."""
        return [j for j in reversed(self.store.jobs()) if j.about.get("purpose") == "fit"]

    def studies(self) -> list[Job]:
        """The newest first."""
        return [j for j in reversed(self.store.jobs()) if j.about.get("purpose") == "study"]


def _age(path: Path, now: float) -> float:
    """Seconds since a file or folder was changed, or moved where it is."""
    try:
        status = path.stat()
    except FileNotFoundError:  # Another page has swept it meanwhile.
        return 0.0
    return now - max(status.st_mtime, status.st_ctime if path.parent.name == "trash" else 0.0)


def example_sources() -> dict[str, Path]:
    """The bundled scenes and meshes that this installation has."""
    found = {}
    for name in EXAMPLES:
        with suppress(FieldlrError):
            found[name] = example(name)
    return found
