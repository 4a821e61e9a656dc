"""Videos and pictures of a run: jobs that run `fieldlr render`, and their files."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import time
from pathlib import Path

from fieldlr.app.exports import export_folder, set_flags, with_texts
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job
from fieldlr.runs.options import RenderOptions
from fieldlr.system.json import write_whole

MAX_PATH_LENGTH = 4_000_000
FRAMES_PER_SECOND = 30  # the default of `render`
# What is rendered, and the file that the job writes.
FILES = {"video": "video.mp4", "picture": "picture.png"}
# Camera paths of a video; the empty name is the default of `render`.
PATHS = {"photos": ("", "orbit", "spiral"), "mesh": ("orbit",), "volume": ("orbit",)}
# The choices on the page, and the texts of the options `size` and `background`.
OTHER = "Other"
SIZES = {
    "Automatic": "",
    "720p (1280 x 720)": "1280x720",
    "1080p (1920 x 1080)": "1920x1080",
    OTHER: None,
}
BACKGROUNDS = {"Automatic": "", "White": "white", "Black": "black", OTHER: None}


def render_options(
    seconds: int, size: str, own_size: str, background: str, own_background: str
) -> RenderOptions:
    """The options of `fieldlr render` that the inputs of the page stand for.

    The texts of the user count where the choice is OTHER; FieldlrError where one is invalid.
    """
    texts = {
        "size": own_size if size == OTHER else SIZES[size],
        "background": own_background if background == OTHER else BACKGROUNDS[background],
    }
    return with_texts(RenderOptions(frames=seconds * FRAMES_PER_SECOND), texts)


def queue_render(
    workspace: Workspace, job_id: str, kind: str, path: str, options: RenderOptions
) -> str:
    """Queues a video of a run along a path, or a picture; the new job's id."""
    run = workspace.run(job_id)
    if path not in PATHS[run.kind]:
        known = " or ".join(filter(None, PATHS[run.kind]))
        raise FieldlrError(f"the camera path of a {run.kind} must be {known}; got {path!r}.")
    return _submit(workspace, workspace.store.get(job_id), kind, _words(kind, path, options))


def queue_path_video(workspace: Workspace, job_id: str, path: str, options: RenderOptions) -> str:
    """Queues a video along a camera_path.json, given as its text; the new job's id.

    Its views are all rendered, at the size of the file if `options` have none.
    """
    if len(path) > MAX_PATH_LENGTH:
        raise FieldlrError(
            f"a camera path may have {MAX_PATH_LENGTH:,} characters; this one has {len(path):,}. "
            "Keep fewer views."
        )
    file = export_folder(workspace, job_id) / f"{time.time_ns()}-camera_path.json"
    write_whole(file, path.encode())
    every = dataclasses.replace(options, frames=None)
    words = ["--path", str(file), *set_flags(every)]
    return _submit(workspace, workspace.store.get(job_id), "video", words)


def render_command(kind: str, path: str, options: RenderOptions) -> str:
    """The command line that renders the same of the run my-run."""
    words = _words(kind, path, options)
    return shlex.join(["fieldlr", "render", "my-run", "--out", FILES[kind], *words])


def _words(kind: str, path: str, options: RenderOptions) -> list[str]:
    """A picture shows the run from where it is seen best, whatever the path of a video."""
    if kind == "picture":
        return set_flags(dataclasses.replace(options, frames=None))
    return [*(["--path", path] if path else []), *set_flags(options)]


def _submit(workspace: Workspace, job: Job, kind: str, words: list[str]) -> str:
    folder = workspace.run(job.id).folder
    arguments = ["render", str(folder), "--out", f"{{job}}/{FILES[kind]}", *words]
    about = {"purpose": kind, "of": job.id}
    return workspace.store.submit(arguments, f"{job.title}, {kind}", about, lane="make").id


def render_jobs(workspace: Workspace, job_id: str) -> list[Job]:
    """The jobs that render videos and pictures of a run, the newest first."""
    jobs = reversed(workspace.store.jobs())
    return [j for j in jobs if j.about.get("of") == job_id and j.about.get("purpose") in FILES]


def latest(workspace: Workspace, job_id: str, kind: str) -> Path | None:
    """The newest finished video or picture of a run, as a file for download."""
    for job in render_jobs(workspace, job_id):
        path = workspace.store.path(job.id, FILES[kind])
        if job.about["purpose"] == kind and path.exists():
            copy = export_folder(workspace, job_id) / f"{job.id}{path.suffix}"
            if not copy.exists():
                shutil.copyfile(path, copy)
            return copy
    return None
