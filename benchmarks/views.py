"""Rendering times of a quickly trained field, with and without empty-space skipping."""

from __future__ import annotations

import torch

from benchmarks.measure import Report, ratio, seconds, summary
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.fields.radiance import RadianceField
from fieldlr.rendering.render import render_image
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit

TRAINING_SECONDS = 20.0


def quick_field() -> tuple[RadianceField, object]:
    """A field of the bundled windmill after brief training, and its cameras."""
    source = open_source(example("windmill"))
    options = FitOptions().settled()
    task = make_task(source, options)
    state = start_fit(task, field_config(options, source.kind), 0, torch.device("cpu"))
    for _ in fit(state, FitConfig(seconds=TRAINING_SECONDS)):
        pass
    return state.field.eval(), source.content.cameras


def rendering(report: Report) -> None:
    """Seconds of a preview and of a view, and the speed-up of empty-space skipping."""
    field, cameras = quick_field()
    views = {n: cameras[[0]].resized(torch.tensor([[n, n]])) for n in (200, 400)}
    everywhere = torch.ones_like(field.cell_occupied)
    kept = field.cell_occupied.clone()

    def draw(size: int, skip: bool = True):
        def call() -> None:
            field.cell_occupied.copy_(kept if skip else everywhere)
            render_image(field, views[size], 0)

        return call

    plain, preview, view = seconds(draw(200, skip=False), draw(200), draw(400), rounds=5)
    report.add("render_200x200", "s", *summary(preview), at_most=0.3)
    report.add("render_400x400", "s", *summary(view), at_most=2.0)
    report.add("render_200x200_against_no_skipping", "x", *ratio(plain, preview))
