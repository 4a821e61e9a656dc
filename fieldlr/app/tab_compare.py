"""Compare: quality against file size, of a study as it runs or of selected runs."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from fieldlr.app import studies
from fieldlr.app.exports import export_folder
from fieldlr.app.forms import NO_SOURCE
from fieldlr.app.labels import sentence, technical_label
from fieldlr.app.page import (
    IN_ORDER,
    PRIVATE,
    Page,
    js_component,
    run_label,
    show_errors,
    to_json,
)
from fieldlr.app.timing import overhead_seconds
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.pictures.curve_page import HEADS
from fieldlr.study.drawing import point_text
from fieldlr.study.sweep import Sweep
from fieldlr.training.options import FitOptions

WIDTHS: list[str | int] = ["105px", "110px", "210px", "105px", "100px", "90px"]
SIZE_LABELS = [("File size", "bytes"), ("Parameters", "params")]
WHAT = """**BD-rate** (Bjøntegaard): how many more bytes the test curve needs for the anchor's \
quality (negative: fewer), over the qualities that both reach. **Overlap** is the share of \
qualities that both reach; below 75 % there is no figure. The interval, and the bars in the chart, \
are over the seeds. Sizes are of .flr files, and quality is measured on the decoded file. Hollow \
points are larger than another without being better."""


def build(page: Page) -> None:
    workspace = page.workspace
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            study = gr.Dropdown(label="Study", choices=[], elem_id="study")
            runs = gr.Dropdown(
                label="Compare my own runs", choices=[], multiselect=True, elem_id="runs"
            )
            rate = gr.Radio(SIZE_LABELS, value="bytes", label="Size axis")
            with gr.Accordion("Start a study", open=False):
                start, plan, cost = _start_form()
            with gr.Row():
                stop = gr.Button(
                    "Stop and save", interactive=False, elem_id="stop-study", min_width=120
                )
                resume = gr.Button(
                    "Resume", interactive=False, elem_id="resume-study", min_width=120
                )
            export = gr.Button("Export CSV, JSON, SVG", interactive=False, elem_id="export-curves")
            exports = gr.File(label="Exported", file_count="multiple", visible=False)
        with gr.Column(scale=3, min_width=320):
            live = js_component("study", elem_id="study-live")
            verdict = gr.Markdown(elem_id="verdict")
            side_by_side = gr.Gallery(
                label="Side by side at one size",
                visible=False,
                columns=3,
                height=220,
                object_fit="contain",
                interactive=False,
                elem_id="side-by-side",
            )
            curves = js_component("curves", elem_id="curves")
            with gr.Row():
                picture = gr.Image(
                    label="Selected point",
                    visible=False,
                    height=260,
                    buttons=["download", "fullscreen"],
                )
                field = gr.DownloadButton("Download .flr", visible=False)
            with gr.Accordion("Details: which is smaller at equal quality?", open=False):
                table = gr.Dataframe(
                    headers=list(HEADS), interactive=False, wrap=True, column_widths=WIDTHS
                )
                gr.Markdown(WHAT)

    def selected_curves(study_id, run_ids):
        if study_id:
            return studies.curves_of_study(workspace, workspace.store.get(study_id))
        return studies.curves_of_runs(workspace, [workspace.store.get(i) for i in run_ids or ()])

    def show(study_id, run_ids, by):
        if study_id:
            return to_json(study=study_id, rate=by), study_id
        known = selected_curves(None, run_ids)
        return to_json(curves=studies.chart_data(known, by), rate=by) if known else "", ""

    def pictures(study_id, run_ids, by):
        """One sentence, and pictures of all curves at one size: once nothing is being trained."""
        store = workspace.store
        active = study_id and store.state(store.get(study_id)) in ("queued", "running")
        known = [] if active else selected_curves(study_id, run_ids)
        chosen = studies.at_one_size(known, by)
        if not chosen:
            return "", gr.Gallery(visible=False)
        shown = []
        for curve, point in chosen:
            file = point.fits[0].file
            place = f"{study_id}/{file}" if study_id else file
            picture_path, _ = studies.fit_files(page.viewer, place)
            if picture_path is not None:
                shown.append((str(picture_path), point_text(curve, point)))
        return studies.in_a_sentence(chosen, by), gr.Gallery(shown, visible=True)

    def figures(study_id, run_ids, by):
        return studies.bd_rows(selected_curves(study_id, run_ids), by)

    def clear():
        return gr.Image(visible=False), gr.DownloadButton(visible=False), gr.File(visible=False)

    def begin(source_id, *values):
        if not source_id:
            raise FieldlrError(NO_SOURCE)
        source = workspace.source(source_id)
        job_id = studies.start_study(workspace, source, _sweep(*values), _base(*values))
        return study_dropdown(page, job_id)

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
        paths = studies.export_curves(selected_curves(study_id, run_ids), folder, by)
        return gr.File([str(path) for path in paths], visible=True)

    def show_cost(source_id, *values):
        """Checks the plan as it is changed, and shows its duration."""
        off = gr.Button(interactive=False)
        if not source_id:
            return NO_SOURCE, off
        try:
            source, sweep = workspace.source(source_id), _sweep(*values)
            base = _base(*values)
            studies.study_command(source, sweep, base)
        except FieldlrError as error:
            return f"⚠ **{sentence(str(error))}**", off
        overhead = overhead_seconds(workspace, source, base, exact=True)
        seconds = base.schedule.seconds or 0.0
        return studies.cost(sweep, seconds, overhead), gr.Button(interactive=True)

    def buttons(study_id, run_ids):
        """Only what can be done is enabled."""
        store = workspace.store
        state = store.state(store.get(study_id)) if study_id else ""
        some = bool(
            studies.curves_of_study(workspace, store.get(study_id)) if study_id else run_ids
        )
        return (
            gr.Button(interactive=state in ("queued", "running")),
            gr.Button(interactive=state in ("stopped", "failed")),
            gr.Button(interactive=some),
        )

    def begun(*chosen):
        """What is known at once of other curves; nothing stays of those before."""
        return *show(*chosen), *buttons(*chosen[:2]), *clear()

    def compared(*chosen):
        return figures(*chosen), *pictures(*chosen)

    def grown(*chosen):
        return *buttons(*chosen[:2]), figures(*chosen)

    def ended(*chosen):
        return *buttons(*chosen[:2]), *pictures(*chosen)

    def with_choices(study_id, run_ids):
        return study_dropdown(page, study_id), finished_runs(page, run_ids)

    which = [study, runs, rate]
    actions = [stop, resume, export]
    # A multiselect dropdown fires `change` again and again: its `input` is enough.
    for event in (study.change, runs.input, rate.input):
        quick = [curves, live, *actions, picture, field, exports]
        event(show_errors(begun), which, quick, **IN_ORDER)
        event(show_errors(compared), which, [table, verdict, side_by_side], **IN_ORDER)
    # Fires when another point was measured.
    curves.submit(show_errors(grown), which, [*actions, table], **IN_ORDER)
    curves.select(show_errors(pick), None, [picture, field], **IN_ORDER)
    page.update_on_change([page.source, *plan], show_cost, [cost, start])
    start.click(show_errors(begin), [page.source, *plan], study, **PRIVATE)
    stop.click(
        show_errors(lambda s: workspace.store.stop(s) if s else None), study, None, **PRIVATE
    )
    resume.click(
        show_errors(lambda s: workspace.store.resume(s) if s else None), study, None, **PRIVATE
    )
    export.click(show_errors(write), which, exports, **PRIVATE)
    page.react("queue", with_choices, [study, runs], [study, runs])
    outputs = [*actions, verdict, side_by_side]
    page.slow.append(lambda: page.queue.submit(show_errors(ended), which, outputs, **IN_ORDER))
    page.on_load(lambda: with_choices(None, None), [study, runs])


def study_dropdown(page: Page, chosen: str | None) -> gr.Dropdown:
    """The dropdown of studies with the current choices."""
    state = page.workspace.store.state
    jobs = page.workspace.studies()
    choices = [("None: compare my own runs", "")]
    choices += [(f"{run_label(job)} ({state(job)})", job.id) for job in jobs]
    if chosen is None:
        chosen = jobs[0].id if jobs else ""
    return gr.Dropdown(choices=choices, value=chosen)


def finished_runs(page: Page, chosen: list[str] | None) -> gr.Dropdown:
    """The dropdown of finished runs."""
    done = [job for job in page.workspace.trainings() if page.workspace.store.state(job) == "done"]
    known = {job.id for job in done}
    kept = [job_id for job_id in chosen or () if job_id in known]
    return gr.Dropdown(choices=[(run_label(job), job.id) for job in done], value=kept)


def _start_form() -> tuple[gr.Button, list[Any], gr.Markdown]:
    """The inputs of a study; the defaults take three minutes and give three points a curve."""
    backbones = gr.CheckboxGroup(
        [(technical_label(name), name) for name in LINEARS],
        value=["low-rank", "sine-low-rank"],
        label="Model types",
    )
    ranks = gr.CheckboxGroup([1, 2, 5, 10, 20, 40], value=[1, 5, 20], label="Detail levels (ranks)")
    narrow = gr.Checkbox(True, label="Ordinary networks of the same size, for comparison")
    seeds = gr.Slider(1, 5, 1, step=1, label="Repeats: trainings per point, each with its own seed")
    seconds = gr.Slider(5, 600, 10, step=5, label="Seconds of training, for each")
    bits = gr.CheckboxGroup(
        [(f"{n} bits", n) for n in (4, 5, 6, 8)],
        label="Precision: bits per parameter in the file",
        info="None selected: automatic, without visible loss.",
    )
    classic = gr.Checkbox(
        True,
        label="Conventional formats: Draco meshes and voxel grids for shapes, images for photos",
    )
    plan = [backbones, ranks, narrow, seeds, seconds, bits, classic]
    cost = gr.Markdown(NO_SOURCE, elem_id="study-cost")
    start = gr.Button(
        "Start the study", variant="primary", interactive=False, elem_id="start-study"
    )
    return start, plan, cost


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
