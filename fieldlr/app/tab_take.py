"""Take away: meshes, the field, the whole run, and the command line that does the same."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import takeaway
from fieldlr.app.page import PRIVATE, Page, told
from fieldlr.app.surfaces import chosen
from fieldlr.app.tab_surface import Choices


def build(page: Page, choices: Choices) -> None:
    workspace, viewer = page.workspace, page.viewer
    with gr.Row():
        with gr.Column(min_width=300):
            gr.Markdown("### The mesh")
            suffix = gr.Radio(list(takeaway.MESHES), value=".glb", label="Format")
            resolution = gr.Slider(64, 1024, 256, step=64, label="Resolution")
            largest = gr.Checkbox(False, label="Largest piece alone")
            mesh = gr.Button("Make the mesh", variant="primary", elem_id="take-mesh")
            mesh_file = gr.File(label="Mesh", interactive=False)
        with gr.Column(min_width=300):
            gr.Markdown("### The field")
            small = gr.Button("As a small file (.flr)", elem_id="take-small")
            field = gr.Button("Its numbers (.safetensors)", elem_id="take-field")
            whole = gr.Button("The whole run (.zip)", elem_id="take-run")
            file = gr.File(label="Field", interactive=False)
            gr.Markdown("### The same in a terminal")
            words = gr.Code(language="shell", interactive=False, elem_id="commands")

    def make(job_id, kind, samples, alone, *words):
        options = chosen(viewer.shown(job_id).field, int(samples), alone, *words)
        return str(takeaway.take_mesh(viewer, job_id, kind, options))

    inputs = [page.run, suffix, resolution, largest, *choices]
    mesh.click(told(make), inputs, mesh_file, **PRIVATE)
    small.click(told(lambda r: str(takeaway.take_small(viewer, r))), page.run, file, **PRIVATE)
    field.click(told(lambda r: str(takeaway.take_field(workspace, r))), page.run, file, **PRIVATE)
    whole.click(told(lambda r: str(takeaway.take_run(workspace, r))), page.run, file, **PRIVATE)

    def nothing_made(job_id):
        return takeaway.commands(workspace, job_id) if job_id else "", None, None

    page.run.change(
        told(nothing_made), page.run, [words, mesh_file, file], show_progress="hidden", **PRIVATE
    )
