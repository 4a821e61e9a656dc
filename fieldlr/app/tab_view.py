"""View: turn the field by hand, and film it."""

from __future__ import annotations

import shutil

import gradio as gr

from fieldlr.app.page import PRIVATE, Page, follow, moving, packed, told
from fieldlr.app.takeaway import PATHS, export_folder, queue_video, videos_of
from fieldlr.app.workspace import Workspace

HOW = "Drag to turn, wheel or pinch to zoom, double-click to begin again. Arrow keys work too."
FRAMES_A_SECOND = 30
BEST = ("the best one", "")
VIDEO_PATHS = {
    kind: [(path or "near the photos", path) for path in paths] for kind, paths in PATHS.items()
}


def saved(workspace: Workspace, job_id: str) -> int | None:
    """Changes whenever a run's field is saved; None before the first time."""
    path = workspace.run_folder(workspace.store.get(job_id)) / "field.safetensors"
    return path.stat().st_mtime_ns if path.exists() else None


def cameras_of(workspace: Workspace, job_id: str) -> list[tuple[str, int]]:
    """The cameras of a run made from photos, as choices; none of a solid's, or before there are."""
    run = workspace.run(job_id)
    if not (run.folder / "cameras.safetensors").exists():
        return []
    cameras, test = run.load_cameras()
    held_out = set(test)
    return [
        (f"photo {index + 1}" + (" (held out)" if index in held_out else ""), index)
        for index in range(len(cameras))
    ]


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(scale=3, min_width=320):
            view = moving("orbit", elem_id="view")
            gr.Markdown(HOW)
            begin = gr.Dropdown([BEST], value="", label="Begin where this photo was taken")
            depth = gr.Checkbox(False, label="Depth: near is warm, far is cool")
        with gr.Column(scale=2, min_width=320):
            gr.Markdown("### A film")
            path = gr.Radio(VIDEO_PATHS["photos"], value="", label="Camera path")
            seconds = gr.Slider(1, 20, 3, step=1, label="Seconds")
            make = gr.Button("Make a video", elem_id="film")
            said = gr.Markdown()
            video = gr.Video(
                label="The last video", interactive=False, visible=False, buttons=["download"]
            )

    def show(job_id, with_depth, camera):
        if not job_id:
            return ""
        kind = workspace.store.get(job_id).about["kind"]
        version = saved(workspace, job_id)
        depth = bool(with_depth) and kind == "photos"
        # The choice may still be of the run before.
        known = [index for _, index in cameras_of(workspace, job_id)]
        start = page.viewer.start(job_id, camera if camera in known else None)
        return packed(job=job_id, depth=depth, version=version, **start)

    def controls(job_id):
        if not job_id:
            return gr.Radio(), gr.Checkbox(), gr.Dropdown(), gr.Video(visible=False)
        kind = workspace.store.get(job_id).about["kind"]
        photos, known = kind == "photos", VIDEO_PATHS[kind]
        choices = [BEST, *cameras_of(workspace, job_id)]
        return (
            gr.Radio(choices=known, value=known[0][1]),
            gr.Checkbox(visible=photos),
            gr.Dropdown(choices=choices, value="", visible=photos),
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

    parts = [page.run, depth, begin]
    follow(parts, show, view)
    page.live.submit(told(show), parts, view, show_progress="hidden", **PRIVATE)
    page.run.change(lambda: "", None, said, show_progress="hidden", **PRIVATE)
    known = [path, depth, begin, video]
    page.run.change(told(controls), page.run, known, show_progress="hidden", **PRIVATE)
    make.click(told(filmed), [page.run, path, seconds], said, **PRIVATE)
    page.queue.submit(told(last_video), page.run, video, show_progress="hidden", **PRIVATE)
