"""Video: render a video or a picture of the run, at a size, before a colour."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import renders
from fieldlr.app.labels import sentence
from fieldlr.app.page import IN_ORDER, PRIVATE, Page, show_errors
from fieldlr.errors import FieldlrError

PATH_LABELS = {"": "Near the photos", "orbit": "Orbit", "spiral": "Spiral"}
VIDEO_PATHS = {
    kind: [(PATH_LABELS[path], path) for path in paths] for kind, paths in renders.PATHS.items()
}
RENDERING = "Rendering. It appears here when it is done."
COLOR_INPUT = "<label class='fl-color'>Colour <input type='color' value='${value}'></label>"
COLOR_CHOSEN = """element.onchange = event => {
  props.value = event.target.value;
  trigger("change");
};"""
# The inputs that the Export tab shares: the path, then those that `render_options` takes.
RenderInputs = tuple[gr.Radio, gr.Slider, gr.Radio, gr.Textbox, gr.Radio, gr.HTML]


def build(page: Page) -> RenderInputs:
    """Builds the tab; the inputs that the Export tab shares."""
    workspace = page.workspace
    path = gr.Radio(VIDEO_PATHS["photos"], value="", label="Camera path")
    seconds = gr.Slider(1, 20, 3, step=1, label="Length in seconds")
    size = gr.Radio(
        list(renders.SIZES),
        value="Automatic",
        label="Size",
        info="Automatic: the photos' own size; 480 x 480 for shapes.",
        elem_id="render-size",
    )
    own_size = gr.Textbox(
        "",
        label="Height in pixels, or width x height",
        placeholder="600, or 800x600",
        visible=False,
        max_lines=1,
        elem_id="own-size",
    )
    background = gr.Radio(
        list(renders.BACKGROUNDS),
        value="Automatic",
        label="Background",
        info="Automatic: white behind shapes and photos with transparency, else black.",
        elem_id="background",
    )
    # The browser's own: a click beside that of Gradio closes it, and is lost.
    color = gr.HTML(
        "#336699",
        html_template=COLOR_INPUT,
        js_on_load=COLOR_CHOSEN,
        visible=False,
        elem_id="own-background",
    )
    with gr.Row():
        make = gr.Button(
            "Render video", variant="primary", interactive=False, elem_id="render-video"
        )
        still = gr.Button("Render picture", interactive=False, elem_id="render-picture")
    status = gr.Markdown(elem_id="video-status")
    video = gr.Video(label="Latest video", interactive=False, visible=False, buttons=["download"])
    picture = gr.Image(
        label="Latest picture",
        interactive=False,
        visible=False,
        format="png",
        buttons=["download"],
        elem_id="picture",
    )
    inputs = (path, seconds, size, own_size, background, color)
    can = [status, make, still]

    def paths(job_id):
        """The camera paths that a run allows."""
        if not job_id:
            return gr.Radio()
        known = VIDEO_PATHS[workspace.store.get(job_id).about["kind"]]
        return gr.Radio(choices=known, value=known[0][1])

    def check(job_id, _, *values):
        """Whether something can be rendered, and whether something is."""
        ready = bool(job_id) and page.has_field(job_id)
        jobs = renders.render_jobs(workspace, job_id) if job_id else []
        active = {"queued", "running"} & {workspace.store.state(job) for job in jobs}
        text = RENDERING if active else ""
        try:
            renders.render_options(*values)
        except FieldlrError as error:  # said as it is typed
            ready, text = False, f"⚠ **{sentence(str(error))}**"
        return text, gr.Button(interactive=ready), gr.Button(interactive=ready)

    def show(job_id):
        """What was rendered last."""
        made = {k: renders.latest(workspace, job_id, k) if job_id else None for k in renders.FILES}
        shown = {kind: {"value": str(path), "visible": True} for kind, path in made.items() if path}
        hidden = {"visible": False}
        return gr.Video(**shown.get("video", hidden)), gr.Image(**shown.get("picture", hidden))

    def render(kind):
        def queue(job_id, chosen, *values):
            options = renders.render_options(*values)
            renders.queue_render(workspace, job_id, kind, chosen, options)
            return RENDERING

        return queue

    def render_path(event: gr.EventData, job_id, _, *values):
        """A video along the views that were kept in the viewer."""
        options = renders.render_options(*values)
        renders.queue_path_video(workspace, job_id, event.value, options)
        return gr.Tabs(selected="video")

    def selected(job_id):
        return paths(job_id), *show(job_id)

    def told(job_id, *values):
        return *check(job_id, *values), *show(job_id)

    def other(choice):
        return choice == renders.OTHER

    everything = [page.run, *inputs]
    page.react("run", selected, [page.run], [path, video, picture])
    page.update_on_change(everything, check, can)
    page.react("queue live", told, everything, [*can, video, picture])
    for choice, part, kind in ((size, own_size, gr.Textbox), (background, color, gr.HTML)):
        choice.input(lambda v, kind=kind: kind(visible=other(v)), choice, part, **IN_ORDER)
    for button, kind in ((make, "video"), (still, "picture")):
        button.click(show_errors(render(kind)), everything, status, **PRIVATE)
    page.stage.select(show_errors(render_path), everything, page.tabs, **PRIVATE)
    return inputs
