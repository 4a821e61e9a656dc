"""Surface: extract a mesh, compare it with the original, colour its error."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import surfaces
from fieldlr.app.exports import export_folder, file_name
from fieldlr.app.page import IN_ORDER, LATEST, Page, show_errors
from fieldlr.app.undo import Undo
from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh

# The inputs that the Export tab shares: `surfaces.mesh_options` takes their values.
SharedInputs = tuple[gr.Slider, gr.Checkbox, gr.Textbox, gr.Checkbox, gr.Radio, gr.Radio]


def build(page: Page) -> SharedInputs:
    """Builds the tab; the inputs that the Export tab shares."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            bars = gr.HTML("", elem_id="histogram")
            joined = gr.Checkbox(
                True,
                label="Combine what all photos show (recommended)",
                info="Off: use the surface threshold below.",
                visible=False,
                elem_id="joined",
            )
            level = gr.Slider(
                0.02, 0.98, 0.5, label="Surface threshold: lower = fuller", elem_id="level"
            )
            resolution = gr.Slider(
                32, 512, 160, step=32, label="Resolution: samples along the longest edge"
            )
            largest = gr.Checkbox(False, label="Remove floating pieces")
            holes = gr.Radio(
                list(surfaces.HOLES),
                value="Automatic",
                label="Holes: where no photo shows the surface",
                elem_id="holes",
            )
            floor = gr.Checkbox(False, label="Remove the floor", elem_id="floor")
            up = gr.Radio(
                list(surfaces.UPRIGHT), value="Automatic", label="Axis that is up", elem_id="up"
            )
            crop = gr.Textbox(
                "",
                label="Crop box: keep only what is inside",
                placeholder="x0 y0 z0 x1 y1 z1, in the units of the source",
                elem_id="crop",
            )
            errors = gr.Checkbox(False, label="Colour the error against the original")
            with gr.Row():
                make = gr.Button(
                    "Show the surface", variant="primary", interactive=False, elem_id="extract"
                )
                back = gr.Button("Undo", interactive=False, min_width=90, elem_id="undo-surface")
            status = gr.Markdown(elem_id="surface-status")
            download = gr.DownloadButton(
                "Download full mesh", interactive=False, elem_id="download"
            )
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                mesh = gr.Model3D(
                    label="Extracted mesh", height=420, clear_color=(1, 1, 1, 1), visible=False
                )
                given = gr.Model3D(
                    label="Original", height=420, clear_color=(1, 1, 1, 1), visible=False
                )

    shared = (level, joined, crop, floor, holes, up)

    def scale(job_id, fused, known=""):
        """The inputs for a run: the histogram, the range of the threshold, what applies to it."""
        if not job_id:
            return "", gr.Slider(), gr.Checkbox(), gr.Checkbox(), gr.Button(interactive=False)
        of_photos = page.workspace.store.get(job_id).about["kind"] == "photos"
        others = (
            gr.Checkbox(visible=not of_photos),
            gr.Checkbox(visible=of_photos),
        )
        try:
            levels = surfaces.levels(page.viewer.loaded(job_id).field)
        except FieldlrError:  # No checkpoint yet: the scale follows with the first.
            return "", gr.Slider(), *others, gr.Button(interactive=False)
        ready = gr.Button(interactive=True)
        if known:  # The user may have moved the slider since.
            return _bars(levels), gr.Slider(), *others, ready
        slider = gr.Slider(
            minimum=round(levels.low, 3),
            maximum=round(levels.high, 3),
            value=round(levels.usual, 3),
            label=f"Surface threshold: lower = fuller ({levels.label})",
            interactive=not (of_photos and fused),
        )
        return _bars(levels), slider, *others, ready

    def clear():
        off = gr.DownloadButton(value=None, interactive=False)
        return gr.Model3D(None, visible=False), gr.Model3D(None, visible=False), "", off

    def selected(job_id, fused):
        """Another run: its scale, and nothing of the surface of the one before."""
        return *scale(job_id, fused), *clear()

    def outdated(text):
        """The file for download is of other settings than those that are shown."""
        text = "The settings have changed: press “Show the surface”." if text else ""
        return text, gr.DownloadButton(value=None, interactive=False)

    def extract(job_id, samples, only_largest, coloured, *values):
        folder = export_folder(page.workspace, job_id)
        run = page.viewer.loaded(job_id)
        options = surfaces.mesh_options(run.field, int(samples), only_largest, *values)
        name = file_name(page.workspace.store.get(job_id), ".glb")
        made = surfaces.make_surface(page.viewer, job_id, folder / name, options, coloured)
        text = (
            f"{made.faces:,} triangles in {made.seconds:.1f} s, "
            f"{'closed (watertight)' if made.watertight else 'with holes'}."
        )
        if coloured:
            text += f" Blue: no error; red: off by {100 * surfaces.WORST_SHARE:g} % of its size."
        truth = gr.Model3D(visible=False)
        source = run.run.source
        if run.run.kind != "photos" and source is not None and source.exists():
            light = folder / "original-view.glb"
            if not light.exists():
                write_mesh(surfaces.simplified(surfaces.original(run.run)), light)
            truth = gr.Model3D(str(light), visible=True)
        file = gr.DownloadButton(value=str(made.full), interactive=True)
        used = [job_id, samples, only_largest, coloured, *values]
        return gr.Model3D(str(made.view), visible=True), truth, text, file, used

    def still_current(used, job_id, *values):
        """A surface says so where its settings changed while it was made."""
        if used is None or job_id != used[0]:
            return clear()
        if list(values) == used[1:]:
            return [gr.skip()] * len(outputs)
        return gr.skip(), gr.skip(), *outdated(True)

    def again(text, *values):
        """A surface that is shown follows settings that were undone."""
        return extract(*values) if text else [*[gr.skip()] * len(outputs), None]

    def free(job_id, fused):
        """The threshold has no effect on photos that are combined."""
        of_photos = job_id and page.workspace.store.get(job_id).about["kind"] == "photos"
        return gr.Slider(interactive=not (of_photos and fused))

    undo = Undo([resolution, largest, errors, *shared], back)
    inputs = [page.run, resolution, largest, errors, *shared]
    outputs = [mesh, given, status, download]
    made_with = gr.State()
    scales = [bars, level, errors, joined, make]
    both = [*scales, *outputs]

    def follow_the_run():
        changed = page.run.change(show_errors(selected), [page.run, joined], both, **IN_ORDER)
        changed.then(undo.restart, undo.inputs, undo.outputs, **undo.in_order)
        page.live.submit(show_errors(scale), [page.run, joined, bars], scales, **IN_ORDER)

    page.slow.append(follow_the_run)
    # These show the new surface at once; resolution and crop box wait for the button.
    direct = (
        level.release,
        errors.input,
        largest.input,
        floor.input,
        holes.input,
        up.input,
        joined.input,
    )
    # Before the surface: Gradio calls the handlers of an event one after the other.
    joined.input(free, [page.run, joined], level, **IN_ORDER)
    extracted = gr.on(
        [make.click, *direct], show_errors(extract), inputs, [*outputs, made_with], **LATEST
    )
    # The viewer on the stage shows the same box, and sets it. One of another source means nothing.
    page.stage.apply(_box_of, None, crop, **IN_ORDER)
    page.react("source", lambda: "", [], [crop])
    crop.change(None, crop, None, js="text => fieldlr.crop(text)", **IN_ORDER)
    for event in (level.input, resolution.input, crop.change):
        event(outdated, status, [status, download], **IN_ORDER)
    undone = undo.clicked.then(free, [page.run, joined], level, **IN_ORDER)
    shown = undone.then(show_errors(again), [status, *inputs], [*outputs, made_with], **LATEST)
    for done in (extracted, shown):
        done.success(still_current, [made_with, *inputs], outputs, **IN_ORDER)
    return shared


def _box_of(event: gr.EventData) -> str:
    return event.value


def _bars(levels: surfaces.Levels) -> str:
    """The histogram as bars, compressed so that small counts show beside large ones."""
    most = max(float(levels.counts.max()), 1.0)
    heights = (levels.counts / most) ** 0.3
    bars = "".join(f"<i style='height:{100 * h:.0f}%'></i>" for h in heights)
    return f"<div class='fl-bars' title='How much of the box has each value'>{bars}</div>"
