"""Named endpoints, by which a program does what the page does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api

from fieldlr.app import exports, forms, sources
from fieldlr.app.live import Live
from fieldlr.app.page import show_errors
from fieldlr.app.surfaces import threshold_of
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import StoredSource, Workspace
from fieldlr.errors import FieldlrError
from fieldlr.runs.options import MeshOptions
from fieldlr.training.options import FitOptions


def add_endpoints(workspace: Workspace, viewer: Viewer) -> None:
    """Adds the named endpoints to the page under construction."""
    live = Live(workspace)

    @show_errors
    def check(files: list[dict]) -> dict[str, Any]:
        """Adds uploaded files as a source: its id, kind, facts and warnings."""
        return _plain(sources.add(workspace, [_uploaded(workspace, file) for file in files]))

    @show_errors
    def example(name: str) -> dict[str, Any]:
        """Adds a bundled example as a source."""
        return _plain(sources.add_example(workspace, name))

    @show_errors
    def train(source: str, backbone: str, rank: int, seconds: float) -> str:
        """Queues a training of a source; the id of the run."""
        options = FitOptions.of(rank=int(rank), seconds=seconds).with_backbone(backbone)
        return forms.train(workspace, workspace.source(source), options)

    @show_errors
    def job(run: str) -> dict[str, Any]:
        """The status of a run."""
        return live.job(run)

    @show_errors
    def stop(run: str) -> None:
        """Stops a run and saves what is trained."""
        workspace.store.stop(run)

    @show_errors
    def resume(run: str) -> None:
        """Continues a run that was stopped or failed."""
        forms.resume(workspace, run)

    @show_errors
    def mesh(run: str, suffix: str, resolution: int, level: float | None = None) -> gr.FileData:
        """A run's mesh as a file; without a level, photos are fused and shapes cut at 0.5."""
        threshold = None
        if level is not None:
            threshold = threshold_of(viewer.loaded(run).field, level)
        options = MeshOptions.of(resolution=int(resolution), threshold=threshold)
        path = exports.export_mesh(viewer, run, suffix, options)
        return gr.FileData(path=str(path))

    for endpoint in (check, example, train, job, stop, resume, mesh):
        api(endpoint, api_name=endpoint.__name__)


def _uploaded(workspace: Workspace, file: dict) -> Path:
    """The path of an uploaded file; FieldlrError for any other file of this machine."""
    path = Path(str(file.get("path", ""))).resolve()
    if not path.is_relative_to(workspace.folder / "uploads"):
        raise FieldlrError(f"{path.name} was not uploaded here. Upload it first.")
    return path


def _plain(source: StoredSource) -> dict[str, Any]:
    return {"id": source.id, "name": source.name, "kind": source.kind, "facts": source.facts}
