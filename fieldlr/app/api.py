"""What a program may ask of the app by its address: the same as the page, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from fieldlr.app import checks, forms, takeaway
from fieldlr.app.live import Live
from fieldlr.app.page import told
from fieldlr.app.surfaces import threshold_of
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import BroughtSource, Workspace
from fieldlr.errors import FieldlrError
from fieldlr.runs.options import MeshOptions
from fieldlr.training.options import FitOptions


def offer(workspace: Workspace, viewer: Viewer) -> None:
    """Adds the named endpoints to the page under construction."""
    live = Live(workspace)

    @told
    def check(files: list[dict]) -> dict[str, Any]:
        """What uploaded files hold: a source's id, kind, facts and warnings."""
        return _plain(checks.bring(workspace, [_uploaded(workspace, file) for file in files]))

    @told
    def example(name: str) -> dict[str, Any]:
        """A bundled scene or mesh as a source."""
        return _plain(checks.bring_example(workspace, name))

    @told
    def train(source: str, backbone: str, rank: int, seconds: float) -> str:
        """Queues a training of so many seconds; the run's id."""
        options = FitOptions.of(rank=int(rank), seconds=seconds).with_backbone(backbone)
        return forms.train(workspace, workspace.source(source), options)

    @told
    def job(run: str) -> dict[str, Any]:
        """How a run stands."""
        return live.job(run)

    @told
    def stop(run: str) -> None:
        """Stops a run and keeps what is trained."""
        workspace.store.stop(run)

    @told
    def resume(run: str) -> None:
        """Goes on with a run that was stopped or has failed."""
        forms.resume(workspace, run)

    @told
    def mesh(run: str, suffix: str, resolution: int, level: float) -> gr.FileData:
        """A run's mesh as a file."""
        threshold = threshold_of(viewer.shown(run).field, level)
        options = MeshOptions.of(resolution=int(resolution), threshold=threshold)
        path = takeaway.take_mesh(viewer, run, suffix, options)
        return gr.FileData(path=str(path))

    for endpoint in (check, example, train, job, stop, resume, mesh):
        api(endpoint, api_name=endpoint.__name__)


def _uploaded(workspace: Workspace, file: dict) -> Path:
    """The path of a file that was sent; FieldlrError where it is any other file of this machine."""
    path = Path(str(file.get("path", ""))).resolve()
    if not path.is_relative_to(workspace.folder / "uploads"):
        raise FieldlrError(f"{path.name} was not sent here. Upload it first.")
    return path


def _plain(source: BroughtSource) -> dict[str, Any]:
    return {"id": source.id, "name": source.name, "kind": source.kind, "facts": source.facts}
