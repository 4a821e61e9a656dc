"""Mesh extraction of a trained field: coarse to fine against dense sampling."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.measure import Report, peak_memory
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.surface import extract
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit

TRAINING_SECONDS = 20.0


def extraction(report: Report) -> None:
    """Evaluations and seconds relative to dense sampling at 256^3 and 512^3; then 1024^3."""
    source = open_source(example("rook"), grid=256)
    options = FitOptions().settled()
    task = make_task(source, options)
    state = start_fit(task, field_config(options, source.kind), 0, torch.device("cpu"))
    for _ in fit(state, FitConfig(seconds=TRAINING_SECONDS)):
        pass
    field = state.field.eval()
    for resolution, evaluations, seconds in ((256, None, None), (512, 1 / 8, 1 / 5)):
        ours, dense = (
            extract(field.level, field.aabb, resolution, dense=everywhere)
            for everywhere in (False, True)
        )
        name = f"extraction_{resolution}"
        share = ours.evaluations / dense.evaluations
        report.add(f"{name}_share_of_evaluations", "", share, at_most=evaluations)
        report.add(f"{name}_share_of_seconds", "", ours.seconds / dense.seconds, at_most=seconds)
        report.add(f"{name}_seconds", "s", ours.seconds)
        report.add(f"{name}_marching_seconds", "s", ours.marching_seconds)
        same = len(ours.mesh.faces) == len(dense.mesh.faces) and np.array_equal(
            ours.mesh.faces, dense.mesh.faces
        )
        report.add(f"{name}_equals_dense", "", float(same), at_least=1.0)
    ours = extract(field.level, field.aabb, 1024)
    report.add("extraction_1024_seconds", "s", ours.seconds)
    report.add("extraction_1024_peak_memory", "GiB", peak_memory(), at_most=4.0)
