"""Start: add files or an example, and see what was found in them."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import sources
from fieldlr.app.labels import sentence
from fieldlr.app.page import (
    IN_ORDER,
    PRIVATE,
    Page,
    js_component,
    show_errors,
    source_dropdown,
    to_json,
)
from fieldlr.app.poses import find_poses, pose_job
from fieldlr.app.workspace import StoredSource, example_paths
from fieldlr.data.archives import ACCEPTED_SUFFIXES
from fieldlr.errors import FieldlrError

HINT = """Add **photos with camera poses** (`transforms.json`, LLFF, COLMAP), **photos alone**, \
a **video**, a **mesh**, a **point cloud** or a **volume**, as files or as one .zip. All files \
stay on this machine."""
NOTHING_SELECTED = "No source selected. Add files, or choose an example."


def build(page: Page) -> None:
    gr.Markdown(HINT)
    files = gr.File(
        label="Your files",
        file_count="multiple",
        file_types=[*ACCEPTED_SUFFIXES, ".zip"],
        height=130,
        elem_id="files",
    )
    gr.Markdown("Or start with an example:")
    names = to_json(names=list(example_paths()))
    examples = js_component("examples", names, padding=False, elem_id="examples")
    found = gr.Markdown(NOTHING_SELECTED, elem_id="found")
    with gr.Row():
        to_train = gr.Button(
            "Train on this", variant="primary", interactive=False, elem_id="to-train"
        )
        poses = gr.Button("Find poses", visible=False, elem_id="find-poses")
    failure = gr.State("")  # why the last upload was not added, if it was not
    workspace = page.workspace

    def upload(paths):
        """Adds the files and clears the upload field, so that the next upload replaces them."""
        if not paths:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        try:
            source = sources.add(workspace, paths)
        except FieldlrError as error:
            # No source stays selected: the earlier one is not what the user wants to train on.
            message = sentence(str(error))
            gr.Warning(message, title="Not added", duration=20)
            text = f"### Not added\n\n{sources.escape_markdown(message)}"
            return None, gr.Dropdown(value=None), text, text
        return None, source_dropdown(workspace, source.id), gr.skip(), ""

    def example(event: gr.EventData):
        return source_dropdown(workspace, sources.add_example(workspace, event.value).id)

    def show(source_id, failed):
        train_off, poses_off = gr.Button(interactive=False), gr.Button(visible=False)
        if not source_id:
            return failed or NOTHING_SELECTED, train_off, poses_off
        source = workspace.source(source_id)
        if source.kind != "unposed":
            return sources.summary(source), gr.Button(interactive=True), poses_off
        text, can_start = pose_status(page, source)
        return text, train_off, gr.Button(visible=True, interactive=can_start)

    def begin_poses(source_id):
        source = workspace.source(source_id)
        find_poses(workspace, source)
        text, can_start = pose_status(page, source)
        return text, gr.Button(interactive=can_start)

    def refresh(source_id):
        """The status of finding poses, when a job has changed its state."""
        source = workspace.source(source_id) if source_id else None
        if source is None or source.kind != "unposed":
            return gr.skip(), gr.skip()
        text, can_start = pose_status(page, source)
        return text, gr.Button(interactive=can_start)

    files.upload(show_errors(upload), files, [files, page.source, found, failure], **PRIVATE)
    examples.select(show_errors(example), None, page.source, **IN_ORDER)
    outputs = [found, to_train, poses]
    page.react("source", show, [page.source, failure], outputs)
    to_train.click(lambda: gr.Tabs(selected="train"), None, page.tabs, **PRIVATE)
    poses.click(show_errors(begin_poses), page.source, [found, poses], **PRIVATE)
    page.react("queue", refresh, [page.source], [found, poses])


def pose_status(page: Page, source: StoredSource) -> tuple[str, bool]:
    """(what to say of photos without poses, whether finding poses can be started)."""
    store, job = page.workspace.store, pose_job(page.workspace, source.id)
    state = store.state(job) if job else ""
    if state in ("queued", "running"):
        return (
            f"### {sources.escape_markdown(source.name)}: finding poses\n\nThis takes a few "
            "minutes; the line above the tabs shows the progress. The photos with their poses "
            "then become a new source.",
            False,
        )
    if state == "done":
        return (
            f"### {sources.escape_markdown(source.name)}: poses found\n\nThe photos with their "
            "poses are a source of their own: select it under Source.",
            False,
        )
    return sources.summary(source), True
