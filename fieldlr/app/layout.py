"""The page: the selected source and run above, the stage with them, the tabs beside it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from gradio.themes import Base, Soft

from fieldlr.app import (
    stage,
    tab_compare,
    tab_export,
    tab_library,
    tab_start,
    tab_surface,
    tab_train,
    tab_video,
)
from fieldlr.app.api import add_endpoints
from fieldlr.app.forms import PICTURED_PRESETS, first_backbones
from fieldlr.app.page import (
    IN_ORDER,
    QUIET,
    Page,
    js_component,
    run_dropdown,
    show_errors,
    source_choices,
    source_dropdown,
    with_new_choices,
    with_run,
)
from fieldlr.app.poses import collect_posed
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace

STATIC = Path(__file__).parent / "static"
TITLE = """<div class='fl-title'><h1>fieldlr</h1>
<p>Turn photos or a mesh into a compact 3-D model: 1 add, 2 train, 3 view and export.</p></div>"""
# Gradio announces the end of an event to screen readers by keys that it does not translate.
MISSING_TRANSLATIONS = {"common.complete": "Done", "common.error": "Error"}
# The picture of a model type or of a preset, drawn by scenes/cards.py.
CARD = (
    ".fl-pictured label:has([value='{0}'])::before "
    "{{ content: ''; background-image: url(/fieldlr/static/cards/{0}.jpg) }}"
)
# Gradio hides what overflows its container, which would keep the stage from staying in view; it
# would put a rule of fieldlr.css inside that container. Gradio adds the parts of a page in any
# order: what stands below the first row is shown once that row and the parts of the first tab are
# there, so that nothing moves.
HEAD = (
    f"<style>{''.join(map(CARD.format, (*first_backbones(), *PICTURED_PRESETS)))}"
    "gradio-app > .gradio-container { overflow: clip !important }"
    "gradio-app:not(:has(#current input):has(#files):has(#examples button):has(#found)) "
    ":is(#queue, #halves) { visibility: hidden }</style>"
    "<script src='/fieldlr/static/fieldlr.js'></script>"
    "<script src='/fieldlr/static/stage.js'></script>"
)
# System fonts: the page loads nothing from other hosts.
FONTS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONOSPACE = ["ui-monospace", "Menlo", "Consolas", "monospace"]
UPLOAD_CLEANUP = (3600, 86400)  # seconds: checked hourly, kept for a day
MAX_FILE_BYTES = 8 << 30
CONCURRENT_EVENTS = 8
# Gradio looks for new events every millisecond, which keeps some per cent of a core busy.
POLL_SECONDS = 0.05


def build(workspace: Workspace, viewer: Viewer) -> gr.Blocks:
    with gr.Blocks(
        title="fieldlr", analytics_enabled=False, delete_cache=UPLOAD_CLEANUP, fill_width=True
    ) as blocks:
        add_endpoints(workspace, viewer)  # first, so that they get their names
        gr.HTML(TITLE)
        with gr.Row(elem_id="current"):
            source = gr.Dropdown(label="Source", choices=[], elem_id="source", min_width=300)
            run = gr.Dropdown(label="Training", choices=[], elem_id="run", min_width=300)
        queue = js_component("queue", elem_id="queue", padding=False)
        tabs = gr.Tabs(render=False)
        page = Page(workspace, viewer, source, run, tabs, queue)
        with gr.Row(elem_id="halves"):
            with gr.Column(min_width=320, elem_id="stage-column"):
                stage.build(page)
            with gr.Column(min_width=320):
                tabs.render()
                with tabs:
                    _build_tabs(page)

        def opened(request: gr.Request):
            workspace.remove_old_files()
            collect_posed(workspace, gr.Warning)
            return with_run(workspace, request.query_params.get("run"))

        def changed(source_id, run_id):
            """Updates the dropdowns when a job has started or ended, here or in another window."""
            posed = collect_posed(workspace, gr.Warning)
            runs = with_new_choices(run_dropdown(workspace, source_id), run_id)
            if source_id is None:  # Nothing is selected in place of an upload that failed.
                return gr.Dropdown(choices=source_choices(workspace)), runs
            if posed and workspace.source(source_id).kind == "unposed":
                return source_dropdown(workspace, posed[-1].id), runs  # the user waits for it
            return with_new_choices(source_dropdown(workspace), source_id), runs

        def ended(event: gr.EventData):
            """Stops a job from the line above the tabs; a job that has ended is removed."""
            store = workspace.store
            if store.state(store.get(event.value)) in ("queued", "running"):
                store.stop(event.value)
            else:
                store.delete(event.value)

        def chosen(source_id, run_id):
            return run_dropdown(workspace, source_id, run_id)

        page.react("source", chosen, [source, run], [run])
        # A run brings its source.
        run.input(show_errors(lambda r: with_run(workspace, r)), run, [source, run], **IN_ORDER)
        queue.select(show_errors(ended), None, None, **IN_ORDER)
        blocks.load(show_errors(opened), None, [source, run], **QUIET)
        page.react("queue", changed, [source, run], [source, run])
        page.connect()
        for handler, outputs in page.loads:
            blocks.load(handler, None, outputs, **QUIET)
    return blocks


def _build_tabs(page: Page) -> None:
    with gr.Tab("Start", id="start"):
        tab_start.build(page)
    with gr.Tab("Train", id="train"):
        tab_train.build(page)
    with gr.Tab("Surface", id="surface"):
        shared = tab_surface.build(page)
    with gr.Tab("Video", id="video"):
        rendering = tab_video.build(page)
    with gr.Tab("Export", id="export"):
        tab_export.build(page, shared, rendering)
    with gr.Tab("Compare", id="compare"):
        tab_compare.build(page)
    with gr.Tab("Library", id="library-tab"):
        tab_library.build(page)


def mount(app: FastAPI, workspace: Workspace, viewer: Viewer) -> FastAPI:
    """The page at / of an application that has the other routes."""
    blocks = build(workspace, viewer)
    blocks.queue(default_concurrency_limit=CONCURRENT_EVENTS)
    for pause in ("sleep_when_free", "progress_update_sleep_when_free"):
        setattr(blocks._queue, pause, POLL_SECONDS)
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
        i18n=gr.I18n(en=MISSING_TRANSLATIONS),
    )


def _theme() -> Base:
    """Plain titles, visible borders, and text with a contrast of at least 4.5:1."""
    plain = {"background_fill": "none", "padding": "0", "text_color": "*body_text_color"}
    theme = Soft(primary_hue="blue", font=FONTS, font_mono=MONOSPACE)
    titles = {f"block_title_{name}": value for name, value in plain.items()}
    return theme.set(
        **titles,
        block_label_background_fill="*background_fill_secondary",
        block_label_text_color="*body_text_color",
        block_shadow="none",
        block_border_width="1px",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        border_color_primary="*neutral_300",
        border_color_primary_dark="*neutral_600",
        input_border_width="1px",
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_500",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_label_text_color_selected="white",
        button_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        checkbox_label_background_fill_selected="*primary_600",
        button_secondary_border_color="*neutral_500",
        button_secondary_border_color_dark="*neutral_500",
        button_cancel_background_fill="#b91c1c",
        button_cancel_background_fill_hover="#991b1b",
        button_cancel_text_color="white",
        color_accent="*primary_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
