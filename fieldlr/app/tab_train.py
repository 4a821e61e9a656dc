"""Train: choose by what comes out: the file size, the time, the detail."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from fieldlr.app import forms, timing
from fieldlr.app.labels import AUTOMATIC, backbone_label, label, sentence
from fieldlr.app.page import (
    IN_ORDER,
    PRIVATE,
    Page,
    run_dropdown,
    show_errors,
)
from fieldlr.app.timing import overhead_seconds, training_text
from fieldlr.app.workspace import StoredSource
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.study.sweep import has_rank
from fieldlr.system.duration import duration
from fieldlr.system.kinds import Choice
from fieldlr.system.options import Option
from fieldlr.training.options import FitOptions
from fieldlr.training.tasks import task_for
from fieldlr.training.tasks.task import PRESETS

PRESETS_INFO = "Pictured: the example windmill after a short training with each."
AS_PRESET, OWN = ("As the preset says", ""), ("In seconds, below", "own")


def build(page: Page) -> None:
    workspace = page.workspace
    backbone = gr.Radio(
        _backbone_choices("mesh", FitOptions()),
        value="full",
        label="Model type: detail or file size",
        info="Pictured: the example coral after a short training with each.",
        elem_id="backbone",
        elem_classes="fl-pictured",
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
    preset = gr.Radio(_preset_choices("mesh"), value="quick", label="Preset", elem_id="preset")
    budget = gr.Radio(
        [AS_PRESET, OWN],
        value="",
        label="Training time",
        info="On this machine. Good: within about 1 dB of best.",
        elem_id="budget",
    )
    cost = gr.Markdown(forms.NO_SOURCE, elem_id="cost")
    start = gr.Button("Train", variant="primary", interactive=False, elem_id="train")
    with gr.Accordion("More settings", open=False):
        more = _more_settings()
    settings = [backbone, rank, preset, *more]

    def update(source_id, *values):
        """Checks the settings as they are typed, and shows the file size and the time."""
        source = workspace.source(source_id) if source_id else None
        kind = source.kind if source else "mesh"
        # What has no effect is not offered: model types where the file is a grid of features, and
        # ranks where a matrix is full.
        of_shapes = forms.task_kind(kind) == "mesh"
        ranked = has_rank(_backbone(kind, *values))
        detail = gr.Slider(interactive=ranked, visible=ranked or of_shapes)
        try:
            options = _options(kind, *values)
            models = gr.Radio(choices=_backbone_choices(kind, options), visible=of_shapes)
            presets = gr.Radio(
                choices=_preset_choices(kind, *values),
                info="" if of_shapes else PRESETS_INFO,
                elem_classes=[] if of_shapes else ["fl-pictured"],
            )
            lengths = gr.Radio(choices=_budget_choices(timing.budgets(workspace, kind, options)))
            if source is None or kind == "unposed":
                text = forms.NO_POSES if source else forms.NO_SOURCE
                return models, presets, lengths, detail, text, gr.Button(interactive=False)
            forms.fit_command(source, options)
            text = _cost(page, source, options)
        except FieldlrError as error:
            # No message that pops up at every key: it stands above the button until corrected.
            text = f"⚠ **{sentence(str(error))}**"
            skipped = [gr.skip()] * 3
            return *skipped, detail, text, gr.Button(interactive=False)
        return models, presets, lengths, detail, text, gr.Button(interactive=True)

    def length(source_id, outcome, *values):
        """The seconds of training for an outcome, as a text; "" where it has none."""
        kind = workspace.source(source_id).kind if source_id else "mesh"
        try:
            known = timing.budgets(workspace, kind, _options(kind, *values))
        except FieldlrError:  # `update` reports it.
            return ""
        return f"{known[outcome]:g}" if outcome in known else ""

    def with_budget(source_id, outcome, *values):
        """The seconds of the chosen outcome, which are others for another preset or source."""
        return length(source_id, outcome, *values) or (gr.skip() if outcome else AS_PRESET[1])

    def own_budget(text, source_id, outcome, *values):
        """What is chosen once seconds are typed: the preset's where there are none."""
        if not text.strip():
            return AS_PRESET[1]
        return gr.skip() if text == length(source_id, outcome, *values) else OWN[1]

    def begin(source_id, *values):
        if not source_id:
            raise FieldlrError(forms.NO_SOURCE)
        source = workspace.source(source_id)
        job_id = forms.train(workspace, source, _options(source.kind, *values))
        return run_dropdown(workspace, source_id, job_id)

    inputs = [page.source, *settings]
    page.update_on_change(inputs, update, [backbone, preset, budget, rank, cost, start])
    seconds = more[list(forms.more_settings()).index("seconds")]
    lengths_of = [page.source, budget, *settings]
    for event in (budget.input, preset.input):
        event(show_errors(with_budget), lengths_of, seconds, **IN_ORDER)
    page.react("source", with_budget, lengths_of, [seconds])
    seconds.change(show_errors(own_budget), [seconds, *lengths_of], budget, **IN_ORDER)
    start.click(show_errors(begin), inputs, page.run, **PRIVATE)


def _cost(page: Page, source: StoredSource, options: FitOptions) -> str:
    """The predicted file size and time, as Markdown."""
    size = forms.file_size(source.kind, options)
    count = forms.num_parameters(source.kind, options)
    extra = overhead_seconds(page.workspace, source, options)
    text = (
        f"**File size {size.text}**; {count:,} parameters. Time: "
        f"{training_text(source.kind, options)} of training, plus about {duration(extra)} for "
        "setup and measuring."
    )
    return text


def _more_settings() -> list[Any]:
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


def _backbone(kind: str, backbone: str, rank: float, preset: str, *more: str) -> str:
    """The model type: that under "More settings" if there is one; of photos otherwise `full`."""
    chosen = dict(zip(forms.more_settings(), more, strict=True))["backbone"]
    return chosen or (backbone if forms.task_kind(kind) == "mesh" else "full")


def _options(kind: str, backbone: str, rank: float, preset: str, *more: str) -> FitOptions:
    chosen = {}
    for (name, own), value in zip(forms.more_settings().items(), more, strict=True):
        if value and value.strip():
            chosen[name] = own.parse(value.strip())
    chosen.pop("backbone", None)
    options = FitOptions.of(preset=preset, rank=int(rank), **chosen)
    return options.with_backbone(_backbone(kind, backbone, rank, preset, *more))


def _budget_choices(lengths: dict[str, float]) -> list[tuple[str, str]]:
    """The preset's own length, those by outcome, and that of the user."""
    known = [(f"{name.capitalize()}: about {duration(s)}", name) for name, s in lengths.items()]
    return [AS_PRESET, *known, OWN]


def _backbone_choices(kind: str, options: FitOptions) -> list[tuple[str, str]]:
    """The model types: the label and the file size, then the technical name and summary."""
    return [
        (f"{backbone_label(name)}\n{size.text}\n{name}: {LINEARS[name].summary}", name)
        for name, size in forms.file_sizes(kind, options).items()
    ]


def _preset_choices(kind: str, *values: Any) -> list[tuple[str, str]]:
    """The presets with the length of their training and, for photos, the size of the file."""
    known, choices = task_for(forms.task_kind(kind)).presets, []
    for name in (own for own in PRESETS if own in known):
        head = f"{name.capitalize()} · {training_text(kind, FitOptions.of(preset=name))}"
        lines = [head, PRESETS[name]]
        if values and forms.task_kind(kind) == "photos":
            backbone, rank, _, *more = values
            options = _options(kind, backbone, rank, name, *more)
            lines.insert(1, forms.file_size(kind, options).text)
        choices.append(("\n".join(lines), name))
    return choices
