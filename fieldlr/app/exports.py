"""Files made from a run: meshes, videos, the .flr file, weights, the run folder."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

from fieldlr import codec
from fieldlr.app.forms import equivalent_command
from fieldlr.app.surfaces import surface_mesh
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.jobs import Job
from fieldlr.runs.options import MeshOptions
from fieldlr.system.files import replacing
from fieldlr.system.json import write_whole
from fieldlr.system.options import leaves

MAX_PATH_LENGTH = 4_000_000
MESHES = (".glb", ".ply", ".obj", ".stl")
# What a mesh is made for: its format, resolution, whether floating pieces go, the most triangles.
FIRST_USE = "Anything"
USES = {
    FIRST_USE: (".glb", 256, False, ""),
    "The web": (".glb", 256, True, "50000"),
    "3-D printing": (".stl", 512, True, ""),
    "CAD": (".obj", 256, True, "20000"),
}
TEXELS = 2048  # along the edges of a picture of colours
# Camera paths of a video; the empty name is the default of `render`.
PATHS = {"photos": ("", "orbit", "spiral"), "mesh": ("orbit",), "volume": ("orbit",)}


def export_folder(workspace: Workspace, job_id: str) -> Path:
    """The folder of a run's files for download."""
    workspace.store.path(job_id)
    folder = workspace.folder / "exports" / job_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def file_name(job: Job, suffix: str) -> str:
    """A file name from the run's title, of letters, digits and dashes."""
    words = "".join(c if c.isalnum() else " " for c in job.title.lower()).split()
    return f"{'-'.join(words)[:60] or 'field'}{suffix}"


def with_texts(options: MeshOptions, texts: dict[str, Any]) -> MeshOptions:
    """The options with others that were typed; a blank text leaves one as it is."""
    known, chosen = leaves(MeshOptions), {}
    for name, value in texts.items():
        if isinstance(value, str):
            value = known[name].parse(value.strip()) if value.strip() else None
        chosen[name] = value
    return dataclasses.replace(options, **chosen)


def export_mesh(viewer: Viewer, job_id: str, suffix: str, options: MeshOptions) -> Path:
    """Writes a run's mesh; the file."""
    if suffix not in MESHES:
        raise FieldlrError(f"the mesh format must be one of {' '.join(MESHES)}; got {suffix!r}.")
    workspace = viewer.workspace
    mesh = surface_mesh(viewer, job_id, options).mesh
    path = export_folder(workspace, job_id) / file_name(workspace.store.get(job_id), suffix)
    write_mesh(mesh, path)
    return path


def export_weights(workspace: Workspace, job_id: str) -> Path:
    """The weights of the trained field as safetensors."""
    source = workspace.run(job_id).folder / "field.safetensors"
    if not source.exists():
        raise FieldlrError(
            "there are no weights yet: wait for the first checkpoint of the training."
        )
    job = workspace.store.get(job_id)
    path = export_folder(workspace, job_id) / file_name(job, ".safetensors")
    with replacing(path) as place:
        shutil.copyfile(source, place)
    return path


def export_flr(viewer: Viewer, job_id: str) -> Path:
    """The field as a .flr file, quantised without visible loss."""
    workspace, shown = viewer.workspace, viewer.loaded(job_id)
    with viewer.busy:
        data = codec.encode(shown.field, None, shown.run.about())
    path = export_folder(workspace, job_id) / file_name(workspace.store.get(job_id), ".flr")
    write_whole(path, data)
    return path


def export_run(workspace: Workspace, job_id: str) -> Path:
    """The run folder as a zip; unpacked, the command line and Python open it."""
    folder = workspace.run(job_id).folder
    name = file_name(workspace.store.get(job_id), "")
    path = export_folder(workspace, job_id) / f"{name}.zip"
    with replacing(path) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                archive.write(file, f"{name}/{file.name}")
    return path


def queue_video(workspace: Workspace, job_id: str, path: str, frames: int) -> str:
    """Queues a video of a run along a path; the new job's id."""
    job = workspace.store.get(job_id)
    run = workspace.run(job_id)
    if path not in PATHS[run.kind]:
        known = " or ".join(filter(None, PATHS[run.kind]))
        raise FieldlrError(f"the camera path of a {run.kind} must be {known}; got {path!r}.")
    how = ["--frames", str(frames), *(["--path", path] if path else [])]
    return _submit_video(workspace, job, how)


def queue_path_video(workspace: Workspace, job_id: str, path: str) -> str:
    """Queues a video along a camera_path.json, given as its text; the new job's id."""
    if len(path) > MAX_PATH_LENGTH:
        raise FieldlrError(
            f"a camera path may have {MAX_PATH_LENGTH:,} characters; this one has {len(path):,}. "
            "Keep fewer views."
        )
    job = workspace.store.get(job_id)
    file = export_folder(workspace, job_id) / f"{time.time_ns()}-camera_path.json"
    write_whole(file, path.encode())
    return _submit_video(workspace, job, ["--path", str(file)])


def _submit_video(workspace: Workspace, job: Job, how: list[str]) -> str:
    folder = workspace.run(job.id).folder
    arguments = ["render", str(folder), "--out", "{job}/video.mp4", *how]
    about = {"purpose": "video", "of": job.id}
    return workspace.store.submit(arguments, f"{job.title}, video", about, lane="make").id


def video_jobs(workspace: Workspace, job_id: str) -> list[Job]:
    """The jobs that render videos of a run, the newest first."""
    return [j for j in reversed(workspace.store.jobs()) if j.about.get("of") == job_id]


def videos_of(workspace: Workspace, job_id: str) -> list[Path]:
    """The finished videos of a run, the newest first."""
    jobs = video_jobs(workspace, job_id)
    paths = [workspace.store.path(job.id, "video.mp4") for job in jobs]
    return [path for path in paths if path.exists()]


def mesh_flags(options: MeshOptions) -> list[str]:
    """Flags and values of the mesh options that are not the default."""
    arguments = []
    for name, own in leaves(MeshOptions).items():
        value = getattr(options, name)
        if value != own.default:
            flag = f"--{name.replace('_', '-')}"
            arguments += [flag] if value is True else [flag, own.kind.show(value)]
    return arguments


def commands(workspace: Workspace, job_id: str, options: MeshOptions) -> str:
    """The commands that make the same run, mesh and video in a terminal."""
    job = workspace.store.get(job_id)
    fit = equivalent_command(job.words, workspace.store.path(job_id))
    return "\n".join(
        [
            fit,
            "fieldlr eval my-run",
            shlex.join(["fieldlr", "mesh", "my-run", "--out", "mesh.glb", *mesh_flags(options)]),
            "fieldlr render my-run --out video.mp4 --frames 90",
        ]
    )
