"""Library: all runs and sources; select, rename, delete, restore and compare them."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import library
from fieldlr.app.page import (
    IN_ORDER,
    PRIVATE,
    Page,
    js_component,
    run_choices,
    run_dropdown,
    show_errors,
    source_dropdown,
    to_json,
    with_run,
)


def build(page: Page) -> None:
    workspace = page.workspace
    find = gr.Textbox(
        label="Search", placeholder="A name, a setting, a state", max_lines=1, elem_id="search"
    )
    runs = js_component("library", elem_id="library")
    with gr.Row():
        name = gr.Textbox(label="Name of the selected run", scale=3, elem_id="run-name")
        rename = gr.Button("Rename", scale=1, interactive=False, elem_id="rename")
    with gr.Row():
        delete = gr.Button("Delete run", variant="stop", interactive=False, elem_id="delete")
        undo = gr.Button("Undo delete", interactive=False, elem_id="undo")
    gr.Markdown("### Sources")
    sources = js_component("sources", elem_id="sources")
    remove = gr.Button("Delete source", variant="stop", interactive=False, elem_id="delete-source")
    disk = gr.Markdown(elem_id="disk")
    with gr.Accordion("Compare two runs", open=False):
        with gr.Row():
            first = gr.Dropdown(label="Left", choices=[])
            second = gr.Dropdown(label="Right", choices=[])
        with gr.Row():
            left, right = js_component("turntable"), js_component("turntable")

    def listed(source_id, job_id, words):
        """The cards of runs and of sources, and the disk use."""
        some = [run for run in library.runs(workspace) if library.matches(run, words or "")]
        return (
            to_json(runs=some, selected=job_id or "", searched=bool(words)),
            to_json(sources=library.sources(workspace), selected=source_id or ""),
            library.disk_use(workspace),
        )

    def buttons(source_id, job_id):
        """Only what can be done is enabled: a running job is not deleted."""
        store = workspace.store
        running = bool(job_id) and store.state(store.get(job_id)) == "running"
        return (
            gr.Button(interactive=bool(job_id)),
            gr.Button(interactive=bool(job_id) and not running),
            gr.Button(interactive=bool(source_id)),
            gr.Button(interactive=store.last_deleted() is not None),
        )

    def refresh(source_id, job_id, words):
        return *listed(source_id, job_id, words), *buttons(source_id, job_id)

    def show(source_id, job_id, words):
        choices = run_choices(workspace)
        pair = gr.Dropdown(choices=choices), gr.Dropdown(choices=choices)
        title = workspace.store.get(job_id).title if job_id else ""
        return title, *pair, *refresh(source_id, job_id, words)

    def select(event: gr.EventData):
        return with_run(workspace, event.value)

    def select_source(event: gr.EventData):
        return of_source(event.value)

    def of_source(source_id):
        return source_dropdown(workspace, source_id), run_dropdown(workspace, source_id)

    def renamed(job_id, text):
        library.rename(workspace, job_id, text)
        return with_run(workspace, job_id)

    def deleted(source_id, job_id):
        title = workspace.store.get(job_id).title
        workspace.store.delete(job_id)
        gr.Info(f"{title} was deleted. “Undo delete” restores it.", duration=8)
        return of_source(source_id)

    def removed(source_id):
        title = workspace.source(source_id).name
        workspace.delete_source(source_id)
        gr.Info(f"{title} was deleted. “Undo delete” restores it.", duration=8)
        return with_run(workspace, None)

    def restored():
        known = library.undo(workspace)
        is_source = known in [source.id for source in workspace.sources()]
        return of_source(known) if is_source else with_run(workspace, known)

    selected = [page.source, page.run]
    inputs, lists = [*selected, find], [runs, sources, disk]
    shown = [*lists, rename, delete, remove, undo]
    runs.select(show_errors(select), None, selected, **IN_ORDER)
    sources.select(show_errors(select_source), None, selected, **IN_ORDER)
    outputs = [name, first, second, *shown]
    page.react("source run", show, inputs, outputs)
    find.change(show_errors(listed), inputs, lists, **IN_ORDER)
    page.react("queue live", refresh, inputs, shown)
    for button, answer, known in (
        (rename, renamed, [page.run, name]),
        (delete, deleted, selected),
        (remove, removed, page.source),
        (undo, restored, None),
    ):
        done = button.click(show_errors(answer), known, selected, **PRIVATE)
        done.then(show_errors(refresh), inputs, shown, **IN_ORDER)
    page.on_load(lambda: refresh(None, None, ""), shown)
    for chosen, view in ((first, left), (second, right)):
        chosen.change(lambda job_id: job_id or "", chosen, view, **IN_ORDER)
