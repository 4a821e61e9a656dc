"""What one takes home: meshes, a video, the field alone, the whole run."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from fieldlr import codec
from fieldlr.app.forms import shown_command
from fieldlr.app.surfaces import surface_mesh
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.jobs import Job
from fieldlr.runs.options import MeshOptions
from fieldlr.system.files import replacing
from fieldlr.system.json import write_whole

MESHES = (".glb", ".ply", ".obj", ".stl")
# Camera paths of a video; the empty one is the one that `render` takes by itself.
PATHS = {"photos": ("", "orbit", "spiral"), "mesh": ("orbit",), "volume": ("orbit",)}


def export_folder(workspace: Workspace, job_id: str) -> Path:
    """Where a run's files for download are made."""
    workspace.store.path(job_id)
    folder = workspace.folder / "exports" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def file_name(job: Job, suffix: str) -> str:
    """A file's name that tells what it is of: letters, digits and dashes alone."""
    words = "".join(c if c.isalnum() else " " for c in job.title.lower()).split()
    return f"{'-'.join(words)[:60] or 'field'}{suffix}"


def take_mesh(viewer: Viewer, job_id: str, suffix: str, options: MeshOptions) -> Path:
    """A run's mesh in a format of the user's choice."""
    if suffix not in MESHES:
        raise FieldlrError(f"a mesh is written as {' '.join(MESHES)}; got {suffix!r}.")
    workspace = viewer.workspace
    mesh = surface_mesh(viewer, job_id, options).mesh
    path = export_folder(workspace, job_id) / file_name(workspace.store.get(job_id), suffix)
    write_mesh(mesh, path)
    return path


def take_field(workspace: Workspace, job_id: str) -> Path:
    """The trained field's numbers alone, as safetensors."""
    source = workspace.run(job_id).folder / "field.safetensors"
    if not source.exists():
        raise FieldlrError("nothing is trained yet.")
    job = workspace.store.get(job_id)
    path = export_folder(workspace, job_id) / file_name(job, ".safetensors")
    with replacing(path) as place:
        shutil.copyfile(source, place)
    return path


def take_small(viewer: Viewer, job_id: str) -> Path:
    """The field as a .flr, rounded as far as it hardly shows."""
    workspace, shown = viewer.workspace, viewer.shown(job_id)
    with viewer.busy:
        data = codec.encode(shown.field, None, shown.run.about())
    path = export_folder(workspace, job_id) / file_name(workspace.store.get(job_id), ".flr")
    write_whole(path, data)
    return path


def take_run(workspace: Workspace, job_id: str) -> Path:
    """The run folder as a zip: `fieldlr render`, `mesh` and `load` take it once it is unpacked."""
    folder = workspace.run(job_id).folder
    name = file_name(workspace.store.get(job_id), "")
    path = export_folder(workspace, job_id) / f"{name}.zip"
    with replacing(path) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                packed.write(file, f"{name}/{file.name}")
    return path


def queue_video(workspace: Workspace, job_id: str, path: str, frames: int) -> str:
    """Queues a video of a run along a path; the new job's id."""
    job = workspace.store.get(job_id)
    run = workspace.run(job_id)
    if path not in PATHS[run.kind]:
        known = " or ".join(filter(None, PATHS[run.kind]))
        raise FieldlrError(f"a video of a {run.kind} follows the path {known}; got {path!r}.")
    words = ["render", str(run.folder), "--out", "{job}/video.mp4"]
    words += ["--frames", str(frames), *(["--path", path] if path else [])]
    about = {"purpose": "video", "of": job_id}
    return workspace.store.submit(words, f"{job.title}, video", about, lane="make").id


def videos_of(workspace: Workspace, job_id: str) -> list[Path]:
    """The finished videos of a run, the newest first."""
    jobs = [j for j in reversed(workspace.store.jobs()) if j.about.get("of") == job_id]
    paths = [workspace.store.path(job.id, "video.mp4") for job in jobs]
    return [path for path in paths if path.exists()]


def commands(workspace: Workspace, job_id: str) -> str:
    """The command lines that do the same in a terminal."""
    job = workspace.store.get(job_id)
    fit = shown_command(job.words, workspace.store.path(job_id))
    return "\n".join(
        [
            fit,
            "fieldlr eval my-run",
            "fieldlr mesh my-run --out mesh.glb --resolution 256",
            "fieldlr render my-run --out video.mp4 --frames 90",
        ]
    )
