"""Library: all runs with their previews; select, rename, delete and compare them."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import library
from fieldlr.app.page import (
    PRIVATE,
    QUIET,
    Page,
    js_component,
    run_choices,
    run_dropdown,
    show_errors,
    to_json,
)


def build(page: Page) -> None:
    workspace = page.workspace
    runs = js_component("library", elem_id="library")
    with gr.Row():
        name = gr.Textbox(label="Name of the selected run", scale=3, elem_id="run-name")
        rename = gr.Button("Rename", scale=1, interactive=False, elem_id="rename")
        delete = gr.Button("Delete", variant="stop", scale=1, interactive=False, elem_id="delete")
        undo = gr.Button("Undo delete", scale=1, interactive=False, elem_id="undo")
    with gr.Accordion("Compare two runs", open=False):
        with gr.Row():
            first = gr.Dropdown(label="Left", choices=[])
            second = gr.Dropdown(label="Right", choices=[])
        with gr.Row():
            left, right = js_component("orbit"), js_component("orbit")

    def listed(job_id=None):
        return to_json(runs=library.runs(workspace), selected=job_id or "")

    def select(event: gr.EventData):
        return run_dropdown(workspace, event.value)

    def title(job_id):
        return workspace.store.get(job_id).title if job_id else ""

    def buttons(job_id):
        """Only what can be done is enabled: a running job is not deleted."""
        store = workspace.store
        running = bool(job_id) and store.state(store.get(job_id)) == "running"
        return (
            gr.Button(interactive=bool(job_id)),
            gr.Button(interactive=bool(job_id) and not running),
            gr.Button(interactive=store.last_deleted() is not None),
        )

    def show(job_id):
        choices = run_choices(workspace)
        pair = gr.Dropdown(choices=choices), gr.Dropdown(choices=choices)
        return title(job_id), listed(job_id), *buttons(job_id), *pair

    def refresh(job_id):
        return listed(job_id), *buttons(job_id)

    def renamed(job_id, text):
        library.rename(workspace, job_id, text)
        return run_dropdown(workspace, job_id), listed(job_id)

    def deleted(job_id):
        gone = title(job_id)
        workspace.store.delete(job_id)
        gr.Info(f"{gone} was deleted. “Undo delete” restores it.", duration=8)
        return run_dropdown(workspace), listed(), gr.Button(interactive=True)

    def restored():
        job_id = library.undo(workspace)
        more = workspace.store.last_deleted() is not None
        return run_dropdown(workspace, job_id), listed(job_id), gr.Button(interactive=more)

    actions = [rename, delete, undo]
    runs.select(select, None, page.run, **QUIET)
    page.run.change(show_errors(show), page.run, [name, runs, *actions, first, second], **QUIET)
    page.queue.submit(show_errors(refresh), page.run, [runs, *actions], **QUIET)
    page.live.submit(show_errors(refresh), page.run, [runs, *actions], **QUIET)
    rename.click(show_errors(renamed), [page.run, name], [page.run, runs], **PRIVATE)
    delete.click(show_errors(deleted), page.run, [page.run, runs, undo], **PRIVATE)
    undo.click(show_errors(restored), None, [page.run, runs, undo], **PRIVATE)
    page.on_load(lambda: gr.Button(interactive=workspace.store.last_deleted() is not None), [undo])
    for chosen, view in ((first, left), (second, right)):
        chosen.change(lambda j: to_json(job=j, link=True) if j else "", chosen, view, **QUIET)
