"""View: turn the field by hand, and film it."""

from __future__ import annotations

import shutil

import gradio as gr

from fieldlr.app.page import PRIVATE, Page, follow, moving, packed, told
from fieldlr.app.takeaway import PATHS, export_folder, queue_video, videos_of
from fieldlr.app.workspace import Workspace

HOW = "Drag to turn, wheel or pinch to zoom, double-click to begin again. Arrow keys work too."
FRAMES_A_SECOND = 30


def saved(workspace: Workspace, job_id: str) -> int | None:
    """Changes whenever a run's field is saved; None before the first time."""
    path = workspace.run_folder(workspace.store.get(job_id)) / "field.safetensors"
    return path.stat().st_mtime_ns if path.exists() else None


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            view = moving("orbit", elem_id="view")
            gr.Markdown(HOW)
            depth = gr.Checkbox(False, label="Depth: near is warm, far is cool")
        with gr.Column(scale=2, min_width=320):
            gr.Markdown("### A film")
            path = gr.Radio(["orbit", "spiral"], value="orbit", label="Camera path")
            seconds = gr.Slider(1, 20, 3, step=1, label="Seconds")
            make = gr.Button("Make a video", elem_id="film")
            said = gr.Markdown()
            video = gr.Video(
                label="The last video", interactive=False, visible=False, buttons=["download"]
            )

    def show(job_id, with_depth):
        if not job_id:
            return ""
        kind = workspace.store.get(job_id).about["kind"]
        version = saved(workspace, job_id)
        return packed(job=job_id, depth=bool(with_depth) and kind == "photos", version=version)

    def paths(job_id):
        if not job_id:
            return gr.Radio(), gr.Checkbox(visible=True), gr.Video(visible=False)
        kind = workspace.store.get(job_id).about["kind"]
        known = PATHS[kind]
        return (
            gr.Radio(choices=list(known), value=known[0]),
            gr.Checkbox(visible=kind == "photos"),
            last_video(job_id),
        )

    def last_video(job_id):
        videos = videos_of(workspace, job_id) if job_id else []
        if not videos:
            return gr.Video(visible=False)
        copy = export_folder(workspace, job_id) / f"{videos[0].parent.name}.mp4"
        if not copy.exists():
            shutil.copyfile(videos[0], copy)
        return gr.Video(str(copy), visible=True)

    def filmed(job_id, chosen, length):
        queue_video(workspace, job_id, chosen, int(length) * FRAMES_A_SECOND)
        return "Filming. It shows here when it is done."

    follow([page.run, depth], show, view)
    page.live.submit(told(show), [page.run, depth], view, show_progress="hidden", **PRIVATE)
    page.run.change(lambda: "", None, said, show_progress="hidden", **PRIVATE)
    page.run.change(told(paths), page.run, [path, depth, video], show_progress="hidden", **PRIVATE)
    make.click(told(filmed), [page.run, path, seconds], said, **PRIVATE)
    page.queue.submit(told(last_video), page.run, video, show_progress="hidden", **PRIVATE)
