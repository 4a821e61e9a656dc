"""The page: what is chosen above, six tabs below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from gradio.themes import Base, Soft

from fieldlr.app import (
    tab_compare,
    tab_library,
    tab_start,
    tab_surface,
    tab_take,
    tab_train,
    tab_view,
)
from fieldlr.app.api import offer
from fieldlr.app.page import PRIVATE, Page, moving, renamed, runs_now, sources_now, told
from fieldlr.app.poses import gather_posed
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace

STATIC = Path(__file__).parent / "static"
TITLE = """<div class='fl-title'><h1>fieldlr</h1>
<p>Photos or a mesh in, a small neural field out: 1 bring something, 2 train, 3 look and take it \
home.</p></div>"""
HEAD = "<script src='/fieldlr/static/fieldlr.js'></script>"
# The system's own letters: the page asks no other host for any.
LETTERS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONOSPACE = ["ui-monospace", "Menlo", "Consolas", "monospace"]
UPLOADS_KEPT = (3600, 86400)  # seconds: looked through hourly, kept a day
MAX_FILE_BYTES = 8 << 30
EVENTS_AT_ONCE = 8


def build(workspace: Workspace, viewer: Viewer) -> gr.Blocks:
    with gr.Blocks(
        title="fieldlr", analytics_enabled=False, delete_cache=UPLOADS_KEPT, fill_width=True
    ) as blocks:
        offer(workspace, viewer)  # first: these names are theirs
        gr.HTML(TITLE)
        with gr.Row():
            source = gr.Dropdown(label="Source", choices=[], elem_id="source")
            run = gr.Dropdown(label="Run", choices=[], elem_id="run")
        queue = moving("queue", elem_id="queue")
        tabs = gr.Tabs()
        page = Page(workspace, viewer, source, run, tabs, queue)
        with tabs:
            with gr.Tab("Start", id="start"):
                tab_start.build(page)
            with gr.Tab("Train", id="train"):
                tab_train.build(page)
            with gr.Tab("View", id="view"):
                tab_view.build(page)
            with gr.Tab("Surface", id="surface"):
                choices = tab_surface.build(page)
            with gr.Tab("Compare", id="compare"):
                tab_compare.build(page)
            with gr.Tab("Take away", id="take"):
                tab_take.build(page, choices)
            with gr.Tab("Library", id="library-tab"):
                tab_library.build(page)
        quiet: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}

        def arrived(request: gr.Request):
            workspace.sweep()
            gather_posed(workspace, gr.Warning)
            wanted = request.query_params.get("run")
            return sources_now(workspace), runs_now(workspace, wanted)

        def changed(source_id, run_id):
            """A job has ended or begun: perhaps in another window, perhaps with a new source."""
            gather_posed(workspace, gr.Warning)
            sources, runs = sources_now(workspace), runs_now(workspace)
            return renamed(sources, source_id), renamed(runs, run_id)

        def ended(event: gr.EventData):
            """Stops a job from the line above the tabs; what has ended already is put away."""
            store = workspace.store
            if store.state(store.get(event.value)) in ("queued", "running"):
                store.stop(event.value)
            else:
                store.delete(event.value)

        queue.select(told(ended), None, None, **quiet)
        blocks.load(told(arrived), None, [source, run], **quiet)
        queue.submit(told(changed), [source, run], [source, run], **quiet)
        for handler, outputs in page.loads:
            blocks.load(handler, None, outputs, **quiet)
    return blocks


def mount(app: FastAPI, workspace: Workspace, viewer: Viewer) -> FastAPI:
    """The page at / of an application that has the other routes."""
    blocks = build(workspace, viewer)
    blocks.queue(default_concurrency_limit=EVENTS_AT_ONCE)
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        allowed_paths=[str(workspace.folder / "exports")],
        max_file_size=MAX_FILE_BYTES,
        ssr_mode=False,
        run_history=False,
        footer_links=["api"],
        theme=_theme(),
        css_paths=[STATIC / "fieldlr.css"],
        head=HEAD,
    )


def _theme() -> Base:
    """Quiet: titles are words, not badges."""
    plain = {"background_fill": "none", "padding": "0", "text_color": "*body_text_color"}
    theme = Soft(primary_hue="blue", font=LETTERS, font_mono=MONOSPACE)
    titles = {f"block_title_{name}": value for name, value in plain.items()}
    return theme.set(
        **titles,
        block_label_background_fill="*background_fill_secondary",
        block_label_text_color="*body_text_color",
        block_shadow="none",
        button_border_width="1px",
        button_secondary_border_color="*border_color_primary",
    )
