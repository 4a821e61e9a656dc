"""The stage: the selected source or run in the middle of the page, its status, and what is next."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import forms
from fieldlr.app.measuring import can_measure, measure
from fieldlr.app.page import (
    PRIVATE,
    Page,
    js_component,
    show_errors,
    to_json,
)
from fieldlr.app.workspace import Workspace
from fieldlr.jobs import Job
from fieldlr.system.duration import duration


def build(page: Page) -> None:
    workspace = page.workspace
    stage = page.stage = js_component("stage", elem_id="stage", padding=False)
    live = page.live = js_component("live", elem_id="live", padding=False)
    with gr.Row(elem_id="next"):
        stop = gr.Button("Stop and save", visible=False, elem_id="stop")
        resume = gr.Button("Resume", visible=False, elem_id="resume")
        longer = gr.Button("Train longer", visible=False, elem_id="longer")
        exact = gr.Button("Measure exactly", visible=False, elem_id="measure")
        onward = [
            gr.Button(name, visible=False, elem_id=f"to-{tab}")
            for tab, name in (("surface", "Get the mesh"), ("video", "Make a video"))
        ]
        export = gr.Button("Export", variant="primary", visible=False, elem_id="to-export")

    def show(source_id, run_id):
        has_drawing = source_id and workspace.drawing(source_id).exists()
        drawing = f"/fieldlr/sources/{source_id}/drawing" if has_drawing else ""
        return to_json(drawing=drawing, job=run_id or "")

    def buttons(run_id):
        """What can be done with a run now: nothing else is shown."""
        job = workspace.store.get(run_id) if run_id else None
        state = workspace.store.state(job) if job else ""
        active = state in ("running", "queued")
        done = state in ("done", "stopped") and page.has_field(run_id)
        return (
            run_id or "",
            gr.Button(visible=active, interactive=True),
            gr.Button(visible=state in ("stopped", "failed"), interactive=True),
            _longer_button(workspace, job),
            gr.Button(visible=job is not None and can_measure(workspace, job), interactive=True),
            *(gr.Button(visible=done) for _ in (*onward, export)),
        )

    def request_stop(run_id):
        workspace.store.stop(run_id)
        return gr.Button(interactive=False)

    def request_resume(run_id):
        forms.resume(workspace, run_id)
        return gr.Button(interactive=False)

    def request_longer(run_id):
        forms.train_longer(workspace, run_id)
        return gr.Button(interactive=False)

    def request_measure(run_id):
        measure(workspace, run_id)
        return gr.Button(interactive=False)

    page.update_on_change([page.source, page.run], show, [stage])
    status = [live, stop, resume, longer, exact, *onward, export]
    page.react("run live queue", buttons, [page.run], status)
    stop.click(show_errors(request_stop), page.run, stop, **PRIVATE)
    exact.click(show_errors(request_measure), page.run, exact, **PRIVATE)
    resume.click(show_errors(request_resume), page.run, resume, **PRIVATE)
    longer.click(show_errors(request_longer), page.run, longer, **PRIVATE)
    for button, tab in zip((*onward, export), ("surface", "video", "export"), strict=True):
        button.click(lambda tab=tab: gr.Tabs(selected=tab), None, page.tabs, **PRIVATE)


def _longer_button(workspace: Workspace, job: Job | None) -> gr.Button:
    """Shown where a training had too few steps, with the time that a good result takes."""
    seconds = forms.longer_seconds(workspace, job) if job is not None else None
    if seconds is None:
        return gr.Button(visible=False)
    return gr.Button(f"Train longer: {duration(seconds)}", visible=True, interactive=True)
