"""Library: all runs with their pictures; open, rename, delete, compare two."""

from __future__ import annotations

from typing import Any

import gradio as gr

from fieldlr.app import library
from fieldlr.app.page import PRIVATE, Page, moving, packed, run_choices, runs_now, told


def build(page: Page) -> None:
    workspace = page.workspace
    runs = moving("library", elem_id="library")
    with gr.Row():
        name = gr.Textbox(label="Name of the chosen run", scale=3)
        rename = gr.Button("Rename", scale=1)
        delete = gr.Button("Delete", variant="stop", scale=1, elem_id="delete")
        undo = gr.Button("Undo delete", scale=1, elem_id="undo")
    with gr.Accordion("Two side by side, turned together", open=False):
        with gr.Row():
            first = gr.Dropdown(label="Left", choices=[])
            second = gr.Dropdown(label="Right", choices=[])
        with gr.Row():
            left, right = moving("orbit"), moving("orbit")

    def listed(job_id=None):
        return packed(runs=library.runs(workspace), chosen=job_id or "")

    def opened(event: gr.EventData):
        return runs_now(workspace, event.value)

    def title(job_id):
        return workspace.store.get(job_id).title if job_id else ""

    def renaming(job_id, text):
        library.rename(workspace, job_id, text)
        return runs_now(workspace, job_id), listed(job_id)

    def deleted(job_id):
        gone = title(job_id)
        workspace.store.delete(job_id)
        gr.Info(f"{gone} is deleted. Undo delete brings it back.", duration=8)
        return runs_now(workspace), listed()

    def brought_back():
        job_id = library.undo(workspace)
        return runs_now(workspace, job_id), listed(job_id)

    def pair():
        choices = run_choices(workspace)
        return gr.Dropdown(choices=choices), gr.Dropdown(choices=choices)

    quiet: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
    runs.select(opened, None, page.run, **quiet)
    page.run.change(told(title), page.run, name, **quiet)
    page.run.change(told(listed), page.run, runs, **quiet)
    page.queue.submit(told(listed), page.run, runs, **quiet)
    rename.click(told(renaming), [page.run, name], [page.run, runs], **PRIVATE)
    delete.click(told(deleted), page.run, [page.run, runs], **PRIVATE)
    undo.click(told(brought_back), None, [page.run, runs], **PRIVATE)
    page.run.change(pair, None, [first, second], **quiet)
    for chosen, view in ((first, left), (second, right)):
        chosen.change(lambda j: packed(job=j, link=True) if j else "", chosen, view, **quiet)
