"""Export: meshes, the field, the run folder, and the commands that do the same."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import exports, renders
from fieldlr.app.labels import short_label
from fieldlr.app.page import IN_ORDER, PRIVATE, Page, show_errors
from fieldlr.app.surfaces import mesh_options
from fieldlr.app.tab_surface import SharedInputs
from fieldlr.app.tab_video import RenderInputs
from fieldlr.app.undo import Undo
from fieldlr.errors import FieldlrError
from fieldlr.fields.radiance import RadianceField
from fieldlr.runs.options import MeshOptions
from fieldlr.system.options import leaves

HERE = ("resolution", "largest", "faces", "scale", "texture")  # set on this tab


def build(page: Page, shared: SharedInputs, rendering: RenderInputs) -> None:
    """Builds the tab; `shared` are the inputs of the Surface tab, which apply here too.

    `rendering` are those of the Video tab, for the commands.
    """
    workspace, viewer = page.workspace, page.viewer
    with gr.Row():
        with gr.Column(min_width=300):
            gr.Markdown("### Mesh")
            use = gr.Radio(list(exports.USES), value=exports.FIRST_USE, label="Made for")
            suffix = gr.Radio(list(exports.MESHES), value=".glb", label="Format")
            resolution = gr.Slider(
                64, 1024, 256, step=64, label="Resolution: samples along the longest edge"
            )
            largest = gr.Checkbox(False, label="Remove floating pieces")
            faces = gr.Textbox("", label="Most triangles", placeholder="All", elem_id="faces")
            scale = gr.Textbox(
                "", label="Scale: multiplies the coordinates", placeholder="1", elem_id="scale"
            )
            texture = gr.Checkbox(
                False, label="Colours as a picture: photos, .glb or .obj", elem_id="texture"
            )
            settings = gr.Markdown(elem_id="mesh-settings")
            with gr.Row():
                mesh = gr.Button(
                    "Export mesh", variant="primary", interactive=False, elem_id="export-mesh"
                )
                back = gr.Button("Undo", interactive=False, min_width=90, elem_id="undo-export")
            mesh_file = gr.File(label="Mesh", interactive=False, visible=False)
        with gr.Column(min_width=300):
            gr.Markdown("### Field")
            small = gr.Button("Compact file (.flr)", interactive=False, elem_id="export-flr")
            one_page = gr.Button(
                "Web page with a viewer (.html)", interactive=False, elem_id="export-page"
            )
            weights = gr.Button(
                "Weights (.safetensors)", interactive=False, elem_id="export-weights"
            )
            folder = gr.Button("Run folder (.zip)", interactive=False, elem_id="export-run")
            file = gr.File(label="Field", interactive=False, visible=False)
            gr.Markdown("### The same on the command line")
            commands = gr.Textbox(
                label="Commands", interactive=False, buttons=["copy"], lines=7, elem_id="commands"
            )
    buttons = [mesh, small, one_page, weights, folder]

    def options_of(job_id, *values) -> MeshOptions:
        samples, only_largest, most, factor, textured, *from_surface = values
        field = viewer.loaded(job_id).field
        chosen = mesh_options(field, int(samples), only_largest, *from_surface)
        has_picture = textured and isinstance(field, RadianceField)
        own = {"faces": most, "scale": factor, "texture": exports.TEXELS if has_picture else None}
        return exports.with_texts(chosen, own)

    def make(job_id, kind, *values):
        options = options_of(job_id, *values)
        return gr.File(str(exports.export_mesh(viewer, job_id, kind, options)), visible=True)

    def describe(job_id, *values):
        """The settings of the Surface tab that apply, and the commands with them."""
        if not page.has_field(job_id):
            off = [gr.Button(interactive=False) for _ in buttons]
            return "", "", *off
        on = [gr.Button(interactive=True) for _ in buttons]
        path, *look = values[num_mesh_inputs:]
        try:
            options = options_of(job_id, *values[:num_mesh_inputs])
            view = renders.render_options(*look)
        except FieldlrError:  # A text is being typed; the button reports the error.
            return gr.skip(), gr.skip(), *on
        rendered = [renders.render_command(kind, path, view) for kind in renders.FILES]
        text = exports.commands(workspace, job_id, options, *rendered)
        return settings_text(options), text, *on

    def clear():
        return gr.File(None, visible=False), gr.File(None, visible=False)

    own = [resolution, largest, faces, scale, texture]
    num_mesh_inputs = len(own) + len(shared)
    inputs = [page.run, *own, *shared, *rendering]
    outputs = [settings, commands, *buttons]
    page.update_on_change(inputs, describe, outputs)
    page.react("live", describe, inputs, outputs)
    mesh.click(show_errors(make), [page.run, suffix, *own, *shared], mesh_file, **PRIVATE)
    undo = Undo([use, suffix, *own], back, direct=[suffix, *own])
    by_use = [suffix, resolution, largest, faces]
    chosen = use.input(lambda name: exports.USES[name], use, by_use, **IN_ORDER)
    chosen.then(undo.record, undo.inputs, undo.outputs, **undo.in_order)
    for button, export in (
        (small, lambda job_id: exports.export_flr(viewer, job_id)),
        (one_page, lambda job_id: exports.export_page(workspace, job_id)),
        (weights, lambda job_id: exports.export_weights(workspace, job_id)),
        (folder, lambda job_id: exports.export_run(workspace, job_id)),
    ):
        button.click(show_errors(_path_of(export)), page.run, file, **PRIVATE)
    page.react("run", clear, [], [mesh_file, file])


def _path_of(export):
    return lambda job_id: gr.File(str(export(job_id)), visible=True)


def settings_text(options: MeshOptions) -> str:
    """The settings of the Surface tab that apply to an exported mesh."""
    own = {n: v for n, v in leaves(MeshOptions).items() if n not in HERE}
    set_here = [
        f"{short_label(name).lower()}" + ("" if value is True else f" {kind.kind.show(value)}")
        for name, kind in own.items()
        if (value := getattr(options, name)) != kind.default
    ]
    applied = ", ".join(set_here) or "all automatic"
    return f"From the Surface tab: {applied}."
