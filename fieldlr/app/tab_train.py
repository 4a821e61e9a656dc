"""Train: three backbones to choose from, and the field as it grows."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from fieldlr.app import forms
from fieldlr.app.page import PRIVATE, Page, follow, moving, renamed, runs_now, told
from fieldlr.nn.linears import LINEARS
from fieldlr.system.kinds import Choice
from fieldlr.system.options import Option
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks.task import PRESETS

CHOICES = [(f"{name}: {words}", name) for name, words in PRESETS.items()]
AUTOMATIC = "as the preset has it"


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(min_width=320):
            backbone = gr.Radio(
                _labelled("mesh", FitOptions()),
                value="full",
                label="Backbone: what the network stores",
                elem_id="backbone",
            )
            rank = gr.Slider(
                1, forms.MAX_RANK, 5, step=1, label="Rank: columns of the thin matrices"
            )
            preset = gr.Radio(CHOICES, value="quick", label="Preset", elem_id="preset")
            with gr.Accordion("More settings", open=False):
                more = _more_settings()
            cost = gr.Markdown(elem_id="cost")
            start = gr.Button("Train", variant="primary", elem_id="train")
        with gr.Column(min_width=320):
            live = page.live = moving("live", elem_id="live")
            with gr.Row():
                stop = gr.Button("Stop, and keep it", interactive=False, elem_id="stop")
                resume = gr.Button("Resume", interactive=False, elem_id="resume")
    chosen = [backbone, rank, preset, *more]

    def costs(source_id, *values):
        kind = workspace.source(source_id).kind if source_id else "mesh"
        options = _options(*values)
        count = forms.num_parameters(kind, options)
        size = forms.size_of(forms.BYTES_PER_PARAMETER * count)
        told_cost = (
            f"**{count:,} parameters, {size}** as 32-bit numbers; "
            f"{forms.estimate(kind, options)} of training."
        )
        if forms.grid_dominates(kind, options):
            told_cost += (
                " Nearly all of it is the grid of the encoding, whatever the backbone. For a small "
                "file choose the encoding `frequency`."
            )
        return gr.Radio(choices=_labelled(kind, options)), told_cost

    def begin(source_id, *values):
        if not source_id:
            raise gr.Error("Choose a source first, on the Start tab.", print_exception=False)
        job_id = forms.train(workspace, workspace.source(source_id), _options(*values))
        return runs_now(workspace, job_id)

    def buttons(job_id):
        state = workspace.store.state(workspace.store.get(job_id)) if job_id else ""
        active = state in ("running", "queued")
        again = state in ("stopped", "failed")
        return job_id or "", gr.Button(interactive=active), gr.Button(interactive=again)

    def stopping(job_id):
        workspace.store.stop(job_id)
        return gr.Button(interactive=False)

    inputs = [page.source, *chosen]
    follow(inputs, costs, [backbone, cost])
    start.click(told(begin), inputs, page.run, **PRIVATE)
    shown = [live, stop, resume]
    page.run.change(told(buttons), page.run, shown, show_progress="hidden", **PRIVATE)
    # A state that changes wakes the buttons, and the names in the dropdown.
    live.submit(told(buttons), page.run, shown, show_progress="hidden", **PRIVATE)
    live.submit(
        told(lambda r: renamed(runs_now(workspace), r)),
        page.run,
        page.run,
        show_progress="hidden",
        **PRIVATE,
    )
    stop.click(told(stopping), page.run, stop, **PRIVATE)
    resume.click(told(lambda r: resumed(page, r)), page.run, resume, **PRIVATE)


def resumed(page: Page, job_id: str) -> gr.Button:
    forms.resume(page.workspace, job_id)
    return gr.Button(interactive=False)


def _more_settings() -> list[Component]:
    """Inputs of `forms.more_settings`; empty ones stand for what the preset has."""
    gr.Markdown("Empty: as the preset has it.")
    return [_input(own) for own in forms.more_settings().values()]


def _input(own: Option) -> Component:
    kind, name = own.kind, forms.label(own)
    if isinstance(kind, Choice):
        return gr.Dropdown([(AUTOMATIC, ""), *kind.names], value="", label=name)
    return gr.Textbox("", label=name, placeholder=own.shown_default, max_lines=1)


def _options(backbone: str, rank: float, preset: str, *more: str) -> FitOptions:
    chosen = {}
    for (name, own), value in zip(forms.more_settings().items(), more, strict=True):
        if value:
            chosen[name] = own.parse(value)
    return FitOptions.of(preset=preset, rank=int(rank), **chosen).with_backbone(backbone)


def _labelled(kind: str, options: FitOptions) -> list[tuple[str, str]]:
    """The backbones, each with its size and a line."""
    costs = forms.costs(kind, options)
    return [
        (f"{name} · {forms.size_of(costs[name])}\n{linear.summary}", name)
        for name, linear in LINEARS.items()
    ]
