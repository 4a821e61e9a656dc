"""Video: render a video of the run."""

from __future__ import annotations

import shutil

import gradio as gr

from fieldlr.app.exports import PATHS, export_folder, queue_video, video_jobs, videos_of
from fieldlr.app.page import PRIVATE, QUIET, Page, show_errors

FRAMES_PER_SECOND = 30
PATH_LABELS = {"": "Near the photos", "orbit": "Orbit", "spiral": "Spiral"}
VIDEO_PATHS = {kind: [(PATH_LABELS[path], path) for path in paths] for kind, paths in PATHS.items()}
RENDERING = "Rendering. The video appears here when it is done."


def build(page: Page) -> None:
    workspace = page.workspace
    path = gr.Radio(VIDEO_PATHS["photos"], value="", label="Camera path")
    seconds = gr.Slider(1, 20, 3, step=1, label="Length in seconds")
    make = gr.Button("Render video", variant="primary", interactive=False, elem_id="render-video")
    status = gr.Markdown(elem_id="video-status")
    video = gr.Video(label="Latest video", interactive=False, visible=False, buttons=["download"])

    def controls(job_id):
        """The inputs for a run, its latest video and whether one is being rendered."""
        if not job_id:
            return gr.Radio(), *video_state(job_id)
        known = VIDEO_PATHS[workspace.store.get(job_id).about["kind"]]
        return gr.Radio(choices=known, value=known[0][1]), *video_state(job_id)

    def video_state(job_id):
        """(the latest video, the status line, the button)."""
        if not job_id:
            return gr.Video(visible=False), "", gr.Button(interactive=False)
        states = [workspace.store.state(job) for job in video_jobs(workspace, job_id)]
        status = RENDERING if {"queued", "running"} & set(states) else ""
        button = gr.Button(interactive=page.has_field(job_id))
        videos = videos_of(workspace, job_id)
        if not videos:
            return gr.Video(visible=False), status, button
        copy = export_folder(workspace, job_id) / f"{videos[0].parent.name}.mp4"
        if not copy.exists():
            shutil.copyfile(videos[0], copy)
        return gr.Video(str(copy), visible=True), status, button

    def render(job_id, chosen, length):
        queue_video(workspace, job_id, chosen, int(length) * FRAMES_PER_SECOND)
        return RENDERING

    state = [video, status, make]
    page.run.change(show_errors(controls), page.run, [path, *state], **QUIET)
    page.queue.submit(show_errors(video_state), page.run, state, **QUIET)
    page.live.submit(show_errors(video_state), page.run, state, **QUIET)
    make.click(show_errors(render), [page.run, path, seconds], status, **PRIVATE)
