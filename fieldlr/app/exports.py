"""Files made from a run: meshes, a page, the .flr file, weights, the folder; and their commands."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any, TypeVar

from fieldlr import codec
from fieldlr.app.forms import equivalent_command
from fieldlr.app.surfaces import surface_mesh
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.jobs import Job
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.page import make_page
from fieldlr.system.files import replacing
from fieldlr.system.json import write_whole
from fieldlr.system.options import Options, leaves

T = TypeVar("T", bound=Options)

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


def with_texts(options: T, texts: dict[str, Any]) -> T:
    """The options with others that were typed; a blank text leaves one as it is."""
    known, chosen = leaves(type(options)), {}
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


def export_page(workspace: Workspace, job_id: str) -> Path:
    """One page that shows the field in a browser, without a server or a network."""
    job = workspace.store.get(job_id)
    path = export_folder(workspace, job_id) / file_name(job, ".html")
    make_page([workspace.run(job_id).folder], path, job.title)
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


def set_flags(options: Options) -> list[str]:
    """Flags and values of the options that are not the default."""
    arguments = []
    for name, own in leaves(type(options)).items():
        value = getattr(options, name)
        if value != own.default:
            flag = f"--{name.replace('_', '-')}"
            arguments += [flag] if value is True else [flag, own.kind.show(value)]
    return arguments


def commands(workspace: Workspace, job_id: str, options: MeshOptions, *renders: str) -> str:
    """The commands that make the same run, mesh and page in a terminal, then those that render."""
    job = workspace.store.get(job_id)
    fit = equivalent_command(job.words, workspace.store.path(job_id))
    return "\n".join(
        [
            fit,
            "fieldlr eval my-run",
            shlex.join(["fieldlr", "mesh", "my-run", "--out", "mesh.glb", *set_flags(options)]),
            "fieldlr page my-run --out page.html",
            *renders,
        ]
    )
