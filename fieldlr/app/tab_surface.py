"""Surface: where the surface lies, its mesh beside the original, its error in colour."""

from __future__ import annotations

from typing import Any

import gradio as gr

from fieldlr.app import surfaces
from fieldlr.app.page import PRIVATE, Page, told
from fieldlr.app.takeaway import export_folder, file_name
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh

# The inputs that say what of a surface is wanted: `surfaces.chosen` takes their values.
Choices = tuple[gr.Slider, gr.Checkbox, gr.Textbox, gr.Checkbox, gr.Radio]


def build(page: Page) -> Choices:
    """The tab; gives the inputs that say what of the surface is wanted."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            bars = gr.HTML("", elem_id="histogram")
            joined = gr.Checkbox(
                True,
                label="Join what all photos see (without it: the level below)",
                elem_id="joined",
            )
            level = gr.Slider(0.02, 0.98, 0.5, label="Level", elem_id="level")
            resolution = gr.Slider(
                32, 512, 160, step=32, label="Resolution: samples along the longest edge"
            )
            largest = gr.Checkbox(False, label="Largest piece alone")
            holes = gr.Radio(
                list(surfaces.HOLES_WORDS),
                value="automatic",
                label="Where no photo looked",
                elem_id="holes",
            )
            floor = gr.Checkbox(False, label="Remove the floor", elem_id="floor")
            crop = gr.Textbox(
                "",
                label="Keep only this box: lower corner, then upper corner",
                placeholder="x0 y0 z0 x1 y1 z1, in the units of the source",
                elem_id="crop",
            )
            errors = gr.Checkbox(False, label="Colour the error against the original")
            make = gr.Button("Show the surface", variant="primary", elem_id="extract")
            said = gr.Markdown()
            whole = gr.DownloadButton("Download it whole", interactive=False, elem_id="download")
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                mesh = gr.Model3D(label="The field's surface", height=420, clear_color=(1, 1, 1, 1))
                given = gr.Model3D(label="The original", height=420, clear_color=(1, 1, 1, 1))

    choices = (level, joined, crop, floor, holes)

    def scale(job_id, known=""):
        if not job_id:
            return "", gr.Slider(), gr.Checkbox(), gr.Checkbox()
        kind = page.workspace.store.get(job_id).about["kind"]
        colored = gr.Checkbox(visible=kind != "photos")
        fused = gr.Checkbox(visible=kind == "photos")
        try:
            levels = surfaces.levels(page.viewer.shown(job_id).field)
        except FieldlrError:  # Nothing is trained yet: the scale comes when there is.
            return "", gr.Slider(), colored, fused
        if known:  # The user may have moved the slider since.
            return _bars(levels), gr.Slider(), colored, fused
        slider = gr.Slider(
            minimum=round(levels.low, 3),
            maximum=round(levels.high, 3),
            value=round(levels.usual, 3),
            label=f"Level: {levels.label}",
        )
        return _bars(levels), slider, colored, fused

    def nothing_made():
        return None, None, "", gr.DownloadButton(value=None, interactive=False)

    def extract(job_id, samples, only_largest, with_errors, *words):
        folder = export_folder(page.workspace, job_id)
        shown = page.viewer.shown(job_id)
        options = surfaces.chosen(shown.field, int(samples), only_largest, *words)
        made = surfaces.make_surface(page.viewer, job_id, folder, options, with_errors)
        words = (
            f"{made.faces:,} triangles in {made.seconds:.1f} s, "
            f"{'watertight' if made.watertight else 'with holes'}."
        )
        if with_errors:
            words += f" Blue is no error, red {100 * surfaces.WORST_SHARE:g} % of its length."
        truth = gr.Model3D(visible=False)
        source = shown.run.source
        if shown.run.kind != "photos" and source is not None and source.exists():
            light = folder / "original-view.glb"
            if not light.exists():
                write_mesh(surfaces.lighter(surfaces.original(shown.run)), light)
            truth = gr.Model3D(str(light), visible=True)
        name = file_name(page.workspace.store.get(job_id), ".glb")
        download = gr.DownloadButton(value=str(made.full.replace(folder / name)), interactive=True)
        return str(made.view), truth, words, download

    inputs = [page.run, resolution, largest, errors, *choices]
    outputs = [mesh, given, said, whole]
    scales = [bars, level, errors, joined]
    quiet: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
    page.run.change(told(scale), page.run, scales, **quiet)
    page.run.change(nothing_made, None, outputs, **quiet)
    page.live.submit(told(scale), [page.run, bars], scales, **quiet)
    for event in (make.click, level.release, errors.input, largest.input, floor.input, holes.input):
        event(told(extract), inputs, outputs, **PRIVATE)
    return choices


def _bars(levels: surfaces.Levels) -> str:
    """The histogram as bars, on a scale that shows the few among the many."""
    most = max(float(levels.counts.max()), 1.0)
    heights = (levels.counts / most) ** 0.3
    bars = "".join(f"<i style='height:{100 * h:.0f}%'></i>" for h in heights)
    return f"<div class='fl-bars' title='how much of the box lies at each level'>{bars}</div>"
