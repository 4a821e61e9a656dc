"""Train: three backbones to choose from, and the field as it grows."""

from __future__ import annotations

import gradio as gr

from fieldlr.app import forms
from fieldlr.app.page import PRIVATE, Page, follow, moving, renamed, runs_now, told
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS

PRESETS = [(f"{name}: {words}", name) for name, words in forms.PRESETS.items()]


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(min_width=320):
            backbone = gr.Radio(
                _labelled("mesh", forms.Choice()),
                value="full",
                label="Backbone: what the network stores",
                elem_id="backbone",
            )
            rank = gr.Slider(
                1, forms.MAX_RANK, 5, step=1, label="Rank: columns of the thin matrices"
            )
            preset = gr.Radio(PRESETS, value="quick", label="Preset", elem_id="preset")
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
        choice = _choice(*values)
        size = forms.costs(kind, choice)[choice.backbone]
        numbers = size // forms.BYTES_PER_NUMBER
        told_cost = (
            f"**{numbers:,} parameters, {forms.size_of(size)}** as 32-bit numbers; "
            f"{forms.estimate(kind, choice)} of training."
        )
        if forms.grid_dominates(kind, choice):
            told_cost += (
                " Nearly all of it is the grid of the encoding, whatever the backbone. For a small "
                "file choose the encoding `frequency`."
            )
        return gr.Radio(choices=_labelled(kind, choice)), told_cost

    def begin(source_id, *values):
        if not source_id:
            raise gr.Error("Choose a source first, on the Start tab.", print_exception=False)
        job_id = forms.train(workspace, workspace.source(source_id), _choice(*values))
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


def _more_settings() -> list[gr.components.Component]:
    """Inputs of the rest of a Choice; 0, and the first of a list, for what the preset says."""
    whole = {"value": 0, "precision": 0}
    gr.Markdown("0 stands for what the preset has.")
    return [
        gr.Number(0, label="Seconds of training"),
        gr.Number(0, label="Omega, the sine's frequency (0: by width and rank)"),
        gr.Number(label="Width, neurons of a layer", **whole),
        gr.Number(label="Depth, layers of width x width", **whole),
        gr.Dropdown([("as the preset has it", ""), *ACTIVATIONS], value="", label="Activation"),
        gr.Dropdown([("as the preset has it", ""), *ENCODINGS], value="", label="Encoding"),
        gr.Number(label="Seed of every random number", **whole),
        gr.Number(label="Grid: voxels along a mesh's longest edge (0: 256)", **whole),
        gr.Number(label="Downscale: divides the size of photos", **whole),
    ]


def _choice(backbone, rank, preset, *more) -> forms.Choice:
    return forms.Choice(backbone, int(rank), preset, *(value or None for value in more))


def _labelled(kind: str, choice: forms.Choice) -> list[tuple[str, str]]:
    """The backbones, each with its size and a line."""
    costs = forms.costs(kind, choice)
    return [
        (f"{name} · {forms.size_of(costs[name])}\n{line}", name)
        for name, line in forms.BACKBONES.items()
    ]
