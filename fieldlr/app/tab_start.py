"""Start: bring something, or take an example, and see whether it is all right."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import checks
from fieldlr.app.page import PRIVATE, Page, moving, packed, sources_now, told
from fieldlr.app.poses import find_poses
from fieldlr.app.uploads import KNOWN
from fieldlr.app.workspace import example_sources

HINT = """Bring **photos with their poses** (`transforms.json`, LLFF, COLMAP), **photos alone**, \
a **video**, a **mesh** or a **volume**: as files, or all of it as one .zip. Nothing leaves \
this machine."""


def build(page: Page) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            gr.Markdown(HINT)
            files = gr.File(
                label="Your files",
                file_count="multiple",
                file_types=[*KNOWN, ".zip"],
                height=150,
                elem_id="files",
            )
            gr.Markdown("or begin with an example:")
            examples = moving("examples", packed(names=list(example_sources())))
        with gr.Column(scale=3, min_width=320):
            found = gr.Markdown("Nothing is chosen yet.", elem_id="found")
            with gr.Row():
                to_train = gr.Button("Train on this", variant="primary", interactive=False)
                poses = gr.Button("Find poses", visible=False)
            drawing = gr.HTML(elem_id="drawing")
    workspace = page.workspace

    def brought(paths):
        if not paths:
            return gr.skip()
        return sources_now(workspace, checks.bring(workspace, paths).id)

    def example(event: gr.EventData):
        return sources_now(workspace, checks.bring_example(workspace, event.value).id)

    def show(source_id):
        if not source_id:
            return "Nothing is chosen yet.", "", gr.Button(interactive=False), gr.Button()
        source = workspace.source(source_id)
        frame = ""
        if workspace.drawing(source_id).exists():
            address = f"/fieldlr/sources/{source_id}/drawing"
            frame = f"<iframe class='fl-drawing' sandbox='allow-scripts' src='{address}'></iframe>"
        posed = source.kind != "unposed"
        return (
            checks.summary(source),
            frame,
            gr.Button(interactive=posed),
            gr.Button(visible=not posed),
        )

    files.upload(told(brought), files, page.source, **PRIVATE)
    examples.select(told(example), None, page.source, **PRIVATE)
    page.source.change(told(show), page.source, [found, drawing, to_train, poses], **PRIVATE)
    to_train.click(lambda: gr.Tabs(selected="train"), None, page.tabs, **PRIVATE)
    poses.click(told(lambda source_id: begin_poses(page, source_id)), page.source, found, **PRIVATE)


def begin_poses(page: Page, source_id: str) -> str:
    source = page.workspace.source(source_id)
    find_poses(page.workspace, source)
    return (
        "### On its way\nFinding where the photos were taken from. The line above the tabs "
        "says how it goes; when it is done, the posed photos are a source of their own."
    )
