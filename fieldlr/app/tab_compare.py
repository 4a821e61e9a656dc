"""Compare: quality against size, of a study that grows or of runs that were picked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from fieldlr.app import studies
from fieldlr.app.page import PRIVATE, Page, follow, moving, packed, told
from fieldlr.app.takeaway import export_folder
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.pictures.curve_page import HEADS
from fieldlr.study.drawing import RATES
from fieldlr.study.sweep import Sweep
from fieldlr.system.options import leaves
from fieldlr.training.options import FitOptions

WIDTHS: list[str | int] = ["105px", "110px", "210px", "105px", "100px", "90px"]
WHAT = """**BD-rate** says how many more bytes the test needs for the anchor's quality (negative: \
fewer), over the qualities that both reach; the **overlap** says how much of them that is. Under \
75 % it is refused. The interval, and the bars in the picture, are over the seeds. Bytes are those \
of .flr files, and quality is that of what they decode to; hollow points cost more than another \
and give no more."""


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            study = gr.Dropdown(label="Study", choices=[], elem_id="study")
            runs = gr.Dropdown(label="or runs of your choice", choices=[], multiselect=True)
            rate = gr.Radio(
                [(word, key) for key, word in RATES.items()], value="bytes", label="Size"
            )
            with gr.Accordion("Start a study", open=False):
                start, plan, cost = _start_form()
            with gr.Row():
                stop = gr.Button("Stop the study", elem_id="stop-study", min_width=120)
                resume = gr.Button("Go on with it", min_width=120)
            export = gr.Button("Export CSV, JSON, SVG")
            exports = gr.File(label="Exported", file_count="multiple", visible=False)
        with gr.Column(scale=3, min_width=320):
            live = moving("study", elem_id="study-live")
            curves = moving("curves", elem_id="curves")
            with gr.Row():
                picture = gr.Image(
                    label="The point", visible=False, height=260, buttons=["download", "fullscreen"]
                )
                field = gr.DownloadButton("Download its .flr", visible=False)
            gr.Markdown("### Bjøntegaard figures")
            table = gr.Dataframe(
                headers=list(HEADS), interactive=False, wrap=True, column_widths=WIDTHS
            )
            gr.Markdown(WHAT)

    def chosen_curves(study_id, run_ids):
        if study_id:
            return studies.study_curves(workspace, workspace.store.get(study_id))
        return studies.runs_curves(workspace, [workspace.store.get(i) for i in run_ids or ()])

    def show(study_id, run_ids, by):
        if study_id:
            return packed(study=study_id, rate=by), study_id
        known = chosen_curves(None, run_ids)
        return packed(curves=studies.drawn(known, by), rate=by) if known else "", ""

    def figures(study_id, run_ids, by):
        return studies.bd_rows(chosen_curves(study_id, run_ids), by)

    def nothing_picked():
        return gr.Image(visible=False), gr.DownloadButton(visible=False), gr.File(visible=False)

    def begin(source_id, *values):
        if not source_id:
            raise FieldlrError("choose a source first, on the Start tab.")
        source = workspace.source(source_id)
        job_id = studies.begin(workspace, source, _sweep(*values), _base(*values))
        return studies_now(page, job_id)

    def pick(event: gr.EventData):
        fits = json.loads(event.value)["fits"]
        if not fits:
            return gr.Image(visible=False), gr.DownloadButton(visible=False)
        picture_path, file_path = studies.fit_files(page.viewer, fits[0])
        return (
            gr.Image(picture_path and str(picture_path), visible=picture_path is not None),
            gr.DownloadButton(value=str(file_path), visible=True),
        )

    def write(study_id, run_ids, by):
        folder = export_folder(workspace, study_id or (run_ids or [""])[0])
        paths = studies.export_curves(chosen_curves(study_id, run_ids), folder, by)
        return gr.File([str(path) for path in paths], visible=True)

    def told_cost(source_id, *values):
        kind = workspace.source(source_id).kind if source_id else "mesh"
        return _cost(kind, values)

    which = [study, runs, rate]
    # A dropdown of many says `change` over and over: what the user puts in is enough.
    for event in (study.change, runs.input, rate.input):
        event(told(show), which, [curves, live], show_progress="hidden", **PRIVATE)
        event(told(figures), which, table, show_progress="hidden", **PRIVATE)
        event(nothing_picked, None, [picture, field, exports], **PRIVATE)
    # Another point has come.
    curves.submit(told(figures), which, table, show_progress="hidden", **PRIVATE)
    curves.select(told(pick), None, [picture, field], **PRIVATE)
    follow([page.source, *plan], told_cost, cost)
    start.click(told(begin), [page.source, *plan], study, **PRIVATE)
    stop.click(told(lambda s: workspace.store.stop(s) if s else None), study, None, **PRIVATE)
    resume.click(told(lambda s: workspace.store.resume(s) if s else None), study, None, **PRIVATE)
    export.click(told(write), which, exports, **PRIVATE)
    page.queue.submit(told(lambda s: studies_now(page, s)), study, study, **PRIVATE)
    page.queue.submit(told(lambda r: finished_now(page, r)), runs, runs, **PRIVATE)
    page.on_load(lambda: (studies_now(page, None), finished_now(page, None)), [study, runs])


def studies_now(page: Page, chosen: str | None) -> gr.Dropdown:
    """The dropdown of studies as it is now."""
    state = page.workspace.store.state
    jobs = page.workspace.studies()
    choices = [("none: runs of your choice", "")]
    choices += [(f"{job.title} ({state(job)})", job.id) for job in jobs]
    if chosen is None:
        chosen = jobs[0].id if jobs else ""
    return gr.Dropdown(choices=choices, value=chosen)


def finished_now(page: Page, chosen: list[str] | None) -> gr.Dropdown:
    """The dropdown of runs that have a quality."""
    done = [job for job in page.workspace.trainings() if page.workspace.store.state(job) == "done"]
    known = {job.id for job in done}
    kept = [job_id for job_id in chosen or () if job_id in known]
    return gr.Dropdown(choices=[(job.title, job.id) for job in done], value=kept)


def _start_form() -> tuple[gr.Button, list[Any], gr.Markdown]:
    known = leaves(Sweep)
    backbones = gr.CheckboxGroup(
        list(LINEARS), value=list(known["backbones"].default), label="Backbones"
    )
    ranks = gr.CheckboxGroup(
        [1, 2, 5, 10, 20, 40], value=list(known["ranks"].default), label="Ranks"
    )
    narrow = gr.Checkbox(True, label="Dense networks that are as small, to compare with")
    seeds = gr.Slider(1, 5, 1, step=1, label="Seeds: fits of each point")
    seconds = gr.Slider(5, 600, 30, step=5, label="Seconds of training, each fit")
    bits = gr.CheckboxGroup(
        [(f"{n} bits", n) for n in (4, 5, 6, 8)],
        label="A number in a file",
        info="None chosen: as many as it takes for the quality hardly to show it.",
    )
    classic = gr.Checkbox(
        True,
        label="The classics: Draco meshes and block grids of a shape, the photos as pictures",
    )
    plan = [backbones, ranks, narrow, seeds, seconds, bits, classic]
    values = [part.value for part in plan]
    cost = gr.Markdown(_cost("mesh", values))
    start = gr.Button("Start the study", variant="primary", elem_id="start-study")
    return start, plan, cost


def _cost(kind: str, values: Sequence[Any]) -> str:
    sweep, seconds = _sweep(*values), _base(*values).schedule.seconds
    assert seconds is not None  # It has a slider of its own.
    return studies.cost(sweep, seconds, kind)


def _sweep(backbones, ranks, narrow, seeds, seconds, bits, classic) -> Sweep:
    return Sweep(
        backbones=backbones,
        ranks=tuple(sorted(int(rank) for rank in ranks)) or (1,),
        seeds=int(seeds),
        narrow=bool(narrow and ranks),
        classic=bool(classic),
        bits=tuple(sorted(bits)) or None,
    )


def _base(backbones, ranks, narrow, seeds, seconds, bits, classic) -> FitOptions:
    return FitOptions.of(seconds=float(seconds))
