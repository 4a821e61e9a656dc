"""Surface: where the surface lies, its mesh beside the original, its error in colour."""

from __future__ import annotations

from typing import Any

import gradio as gr

from fieldlr.app import surfaces
from fieldlr.app.page import PRIVATE, Page, told
from fieldlr.app.takeaway import export_folder, file_name
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh


def build(page: Page) -> gr.Slider:
    """The tab; gives the level slider."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            bars = gr.HTML("", elem_id="histogram")
            level = gr.Slider(0.02, 0.98, 0.5, label="Level", elem_id="level")
            resolution = gr.Slider(
                32, 512, 160, step=32, label="Resolution: samples along the longest edge"
            )
            largest = gr.Checkbox(False, label="Largest piece alone")
            errors = gr.Checkbox(False, label="Colour the error against the original")
            make = gr.Button("Show the surface", variant="primary", elem_id="extract")
            said = gr.Markdown()
            whole = gr.DownloadButton("Download it whole", interactive=False, elem_id="download")
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                mesh = gr.Model3D(label="The field's surface", height=420, clear_color=(1, 1, 1, 1))
                given = gr.Model3D(label="The original", height=420, clear_color=(1, 1, 1, 1))

    def scale(job_id, known=""):
        if not job_id:
            return "", gr.Slider(), gr.Checkbox()
        kind = page.workspace.store.get(job_id).about["kind"]
        colored = gr.Checkbox(visible=kind != "photos")
        try:
            levels = surfaces.levels(page.viewer.shown(job_id).field)
        except FieldlrError:  # Nothing is trained yet: the scale comes when there is.
            return "", gr.Slider(), colored
        if known:  # The user may have moved the slider since.
            return _bars(levels), gr.Slider(), colored
        slider = gr.Slider(
            minimum=round(levels.low, 3),
            maximum=round(levels.high, 3),
            value=round(levels.usual, 3),
            label=f"Level: {levels.label}",
        )
        return _bars(levels), slider, colored

    def nothing_made():
        return None, None, "", gr.DownloadButton(value=None, interactive=False)

    def extract(job_id, value, samples, only_largest, with_errors):
        folder = export_folder(page.workspace, job_id)
        shown = page.viewer.shown(job_id)
        threshold = surfaces.threshold_of(shown.field, value)
        made = surfaces.make_surface(
            page.viewer, job_id, folder, threshold, int(samples), only_largest, with_errors
        )
        words = (
            f"{made.faces:,} triangles in {made.seconds:.1f} s, "
            f"{'watertight' if made.watertight else 'with holes'}."
        )
        if with_errors:
            words += f" Blue is no error, red {100 * surfaces.WORST_SHARE:g} % of its length."
        truth = gr.Model3D(visible=False)
        if shown.run.kind != "photos" and shown.run.source.exists():
            light = folder / "original-view.glb"
            if not light.exists():
                write_mesh(surfaces.lighter(surfaces.original(shown.run)), light)
            truth = gr.Model3D(str(light), visible=True)
        name = file_name(page.workspace.store.get(job_id), ".glb")
        download = gr.DownloadButton(value=str(made.full.replace(folder / name)), interactive=True)
        return str(made.view), truth, words, download

    inputs = [page.run, level, resolution, largest, errors]
    outputs = [mesh, given, said, whole]
    scales = [bars, level, errors]
    quiet: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
    page.run.change(told(scale), page.run, scales, **quiet)
    page.run.change(nothing_made, None, outputs, **quiet)
    page.live.submit(told(scale), [page.run, bars], scales, **quiet)
    for event in (make.click, level.release, errors.input, largest.input):
        event(told(extract), inputs, outputs, **PRIVATE)
    return level


def _bars(levels: surfaces.Levels) -> str:
    """The histogram as bars, on a scale that shows the few among the many."""
    most = max(float(levels.counts.max()), 1.0)
    heights = (levels.counts / most) ** 0.3
    bars = "".join(f"<i style='height:{100 * h:.0f}%'></i>" for h in heights)
    return f"<div class='fl-bars' title='how much of the box lies at each level'>{bars}</div>"
