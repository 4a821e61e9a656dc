"""Train: choose a model type and settings, and watch the field being trained."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from fieldlr.app import forms
from fieldlr.app.labels import AUTOMATIC, backbone_label, label, time_text
from fieldlr.app.page import (
    PRIVATE,
    QUIET,
    Page,
    js_component,
    run_dropdown,
    sentence,
    show_errors,
    update_on_change,
    with_new_choices,
)
from fieldlr.app.timing import overhead_seconds, training_text
from fieldlr.app.workspace import StoredSource
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.study.sweep import has_rank
from fieldlr.system.kinds import Choice
from fieldlr.system.options import Option
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks import task_for
from fieldlr.training.tasks.task import PRESETS


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(min_width=320):
            backbone = gr.Radio(
                _backbone_choices("mesh", FitOptions()),
                value="full",
                label="Model type: detail or file size",
                elem_id="backbone",
            )
            rank = gr.Slider(
                1,
                forms.MAX_RANK,
                5,
                step=1,
                label="Detail: higher is sharper, larger file",
                info="Rank of the factorised matrices. “Best quality” does not use it.",
                elem_id="rank",
            )
            preset = gr.Radio(
                _preset_choices("mesh"), value="quick", label="Preset", elem_id="preset"
            )
            with gr.Accordion("More settings", open=False):
                more = _more_settings()
            cost = gr.Markdown(forms.NO_SOURCE, elem_id="cost")
            start = gr.Button("Train", variant="primary", interactive=False, elem_id="train")
        with gr.Column(min_width=320):
            live = page.live = js_component("live", elem_id="live")
            with gr.Row():
                stop = gr.Button("Stop and save", interactive=False, elem_id="stop")
                resume = gr.Button("Resume", interactive=False, elem_id="resume")
    settings = [backbone, rank, preset, *more]

    def update(source_id, *values):
        """Checks the settings as they are typed, and shows the file size and the time."""
        source = workspace.source(source_id) if source_id else None
        kind = source.kind if source else "mesh"
        # What has no effect cannot be changed: the ranks of a full matrix.
        ranked = has_rank(_backbone(*values))
        fixed = gr.Radio(choices=_preset_choices(kind)), gr.Slider(interactive=ranked)
        try:
            options = _options(*values)
            backbones = gr.Radio(choices=_backbone_choices(kind, options))
            if source is None or kind == "unposed":
                text = forms.NO_POSES if source else forms.NO_SOURCE
                return backbones, *fixed, text, gr.Button(interactive=False)
            forms.fit_command(source, options)
            text = _cost(page, source, options)
        except FieldlrError as error:
            # No message that pops up at every key: it stands above the button until corrected.
            text = f"⚠ **{sentence(str(error))}**"
            return gr.skip(), *fixed, text, gr.Button(interactive=False)
        return backbones, *fixed, text, gr.Button(interactive=True)

    def begin(source_id, *values):
        if not source_id:
            raise FieldlrError(forms.NO_SOURCE)
        job_id = forms.train(workspace, workspace.source(source_id), _options(*values))
        return run_dropdown(workspace, job_id)

    def buttons(job_id):
        state = workspace.store.state(workspace.store.get(job_id)) if job_id else ""
        active = state in ("running", "queued")
        again = state in ("stopped", "failed")
        return job_id or "", gr.Button(interactive=active), gr.Button(interactive=again)

    def request_stop(job_id):
        workspace.store.stop(job_id)
        return gr.Button(interactive=False)

    def request_resume(job_id):
        forms.resume(workspace, job_id)
        return gr.Button(interactive=False)

    inputs = [page.source, *settings]
    update_on_change(inputs, update, [backbone, preset, rank, cost, start])
    start.click(show_errors(begin), inputs, page.run, **PRIVATE)
    status = [live, stop, resume]
    page.run.change(show_errors(buttons), page.run, status, **QUIET)
    # A new state changes the buttons, and the names in the dropdown.
    live.submit(show_errors(buttons), page.run, status, **QUIET)
    names = show_errors(lambda r: with_new_choices(run_dropdown(workspace, r), r))
    live.submit(names, page.run, page.run, **QUIET)
    stop.click(show_errors(request_stop), page.run, stop, **PRIVATE)
    resume.click(show_errors(request_resume), page.run, resume, **PRIVATE)


def _cost(page: Page, source: StoredSource, options: FitOptions) -> str:
    """The predicted file size and time, as Markdown."""
    size = forms.file_size(source.kind, options)
    count = forms.num_parameters(source.kind, options)
    extra = overhead_seconds(page.workspace, source, options)
    text = (
        f"**File size {size.text}**; {count:,} parameters. Time: "
        f"{training_text(source.kind, options)} of training, plus about {time_text(extra)} for "
        "setup and measuring."
    )
    if size.encoding > size.network:
        text += (
            "\n\nMost of the file is the grid of the position encoding, so all model types are "
            "about the same size. For a small file, set the position encoding to `frequency` under "
            "More settings."
        )
    return text


def _more_settings() -> list[Component]:
    """The inputs of `forms.more_settings`; blank is automatic."""
    gr.Markdown(f"Blank: {AUTOMATIC.lower()}, as the preset says.")
    return [_input(own) for own in forms.more_settings().values()]


def _input(own: Option) -> Component:
    kind, name = own.kind, label(own)
    if own.name == "backbone":
        models = [(f"{key}: {linear.summary}", key) for key, linear in LINEARS.items()]
        return gr.Dropdown([("As chosen above", ""), *models], value="", label=name)
    if isinstance(kind, Choice):
        return gr.Dropdown([(AUTOMATIC, ""), *kind.names], value="", label=name)
    shown = own.shown_default or AUTOMATIC
    placeholder = AUTOMATIC if shown == "by the preset" else f"{AUTOMATIC} ({shown})"
    return gr.Textbox("", label=name, placeholder=placeholder, max_lines=1)


def _backbone(backbone: str, rank: float, preset: str, *more: str) -> str:
    """The model type: that under "More settings" if there is one."""
    return dict(zip(forms.more_settings(), more, strict=True))["backbone"] or backbone


def _options(backbone: str, rank: float, preset: str, *more: str) -> FitOptions:
    chosen = {}
    for (name, own), value in zip(forms.more_settings().items(), more, strict=True):
        if value and value.strip():
            chosen[name] = own.parse(value.strip())
    chosen.pop("backbone", None)
    options = FitOptions.of(preset=preset, rank=int(rank), **chosen)
    return options.with_backbone(_backbone(backbone, rank, preset, *more))


def _backbone_choices(kind: str, options: FitOptions) -> list[tuple[str, str]]:
    """The model types: the label and the file size, then the technical name and summary."""
    sizes = forms.file_sizes(kind, options)
    return [
        (f"{backbone_label(name)}\n{sizes[name].text}\n{name}: {LINEARS[name].summary}", name)
        for name in forms.first_backbones()
    ]


def _preset_choices(kind: str) -> list[tuple[str, str]]:
    """The presets with the length of their training."""
    known = task_for(forms.task_kind(kind)).presets
    lengths = {n: training_text(kind, FitOptions.of(preset=n)) for n in PRESETS if n in known}
    return [(f"{n.capitalize()} · {text}\n{PRESETS[n]}", n) for n, text in lengths.items()]
