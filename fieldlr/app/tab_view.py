"""View: turn the field by hand, and render a video of it."""

from __future__ import annotations

import shutil

import gradio as gr

from fieldlr.app.exports import PATHS, export_folder, queue_video, video_jobs, videos_of
from fieldlr.app.page import (
    PRIVATE,
    QUIET,
    Page,
    js_component,
    show_errors,
    to_json,
    update_on_change,
)
from fieldlr.app.workspace import Workspace

HOW = "Drag to turn, scroll or pinch to zoom, double-click to reset. The arrow keys work too."
FRAMES_PER_SECOND = 30
AUTOMATIC_VIEW = ("Automatic", "")
PATH_LABELS = {"": "Near the photos", "orbit": "Orbit", "spiral": "Spiral"}
VIDEO_PATHS = {kind: [(PATH_LABELS[path], path) for path in paths] for kind, paths in PATHS.items()}
RENDERING = "Rendering. The video appears here when it is done."


def saved(workspace: Workspace, job_id: str) -> int | None:
    """A number that changes whenever a run's field is saved; None before the first time."""
    path = workspace.run_folder(workspace.store.get(job_id)) / "field.safetensors"
    return path.stat().st_mtime_ns if path.exists() else None


def cameras_of(workspace: Workspace, job_id: str) -> list[tuple[str, int]]:
    """The cameras of a photo run as choices; empty for shapes and before the run has started."""
    folder = workspace.run_folder(workspace.store.get(job_id))
    if not (folder / "cameras.safetensors").exists():
        return []
    cameras, test = workspace.run(job_id).load_cameras()
    held_out = set(test)
    return [
        (f"photo {index + 1}" + (" (held out)" if index in held_out else ""), index)
        for index in range(len(cameras))
    ]


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            view = js_component("orbit", elem_id="view")
            gr.Markdown(HOW)
            start = gr.Dropdown([AUTOMATIC_VIEW], value="", label="Start at the camera of")
            depth = gr.Checkbox(False, label="Show depth: near is warm, far is cool")
        with gr.Column(scale=2, min_width=320):
            gr.Markdown("### Video")
            path = gr.Radio(VIDEO_PATHS["photos"], value="", label="Camera path")
            seconds = gr.Slider(1, 20, 3, step=1, label="Length in seconds")
            make = gr.Button("Render video", interactive=False, elem_id="render-video")
            status = gr.Markdown(elem_id="video-status")
            video = gr.Video(
                label="Latest video", interactive=False, visible=False, buttons=["download"]
            )

    def show(job_id, with_depth, camera):
        if not job_id:
            return ""
        kind = workspace.store.get(job_id).about["kind"]
        version = saved(workspace, job_id)
        if version is None:  # The view asks again until the first checkpoint.
            return to_json(job=job_id)
        depth = bool(with_depth) and kind == "photos"
        # The selected camera may still be of the run before.
        known = [index for _, index in cameras_of(workspace, job_id)]
        begins = page.viewer.start(job_id, camera if camera in known else None)
        return to_json(job=job_id, depth=depth, version=version, **begins)

    def controls(job_id):
        """The inputs for a run, its latest video and whether one is being rendered."""
        if not job_id:
            off = gr.Button(interactive=False)
            return gr.Radio(), gr.Checkbox(), gr.Dropdown(), gr.Video(visible=False), "", off
        kind = workspace.store.get(job_id).about["kind"]
        photos, known = kind == "photos", VIDEO_PATHS[kind]
        choices = [AUTOMATIC_VIEW, *cameras_of(workspace, job_id)]
        return (
            gr.Radio(choices=known, value=known[0][1]),
            gr.Checkbox(visible=photos),
            gr.Dropdown(choices=choices, value="", visible=photos),
            *video_state(job_id),
        )

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

    parts = [page.run, depth, start]
    update_on_change(parts, show, view)
    page.live.submit(show_errors(show), parts, view, **QUIET)
    state = [video, status, make]
    page.run.change(show_errors(controls), page.run, [path, depth, start, *state], **QUIET)
    page.queue.submit(show_errors(video_state), page.run, state, **QUIET)
    page.live.submit(show_errors(video_state), page.run, state, **QUIET)
    make.click(show_errors(render), [page.run, path, seconds], status, **PRIVATE)
