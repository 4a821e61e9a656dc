"""Scaling of the time of a training step with points, width and rank."""

from __future__ import annotations

import dataclasses

from benchmarks.measure import Report
from benchmarks.steps import Steps
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask

STEPS = 10
SHAPE = FieldConfig()


def growth(report: Report) -> None:
    """Milliseconds per step, one line per point of each curve."""
    volume = open_source(example("rook"), grid=128).content
    for points in (1024, 4096, 16384, 65536, 262144):
        report.add(f"step_points_{points}", "ms", _step(volume, SHAPE, points))
    for width in (32, 64, 128, 256, 512):
        config = dataclasses.replace(SHAPE, width=width)
        report.add(f"step_width_{width}", "ms", _step(volume, config))
    for rank in (1, 5, 20, 60):
        for name, linear in (("low-rank", LowRank), ("sine-low-rank", SineLowRank)):
            config = dataclasses.replace(SHAPE, linear=linear(rank))
            report.add(f"step_{name}_{rank}", "ms", _step(volume, config))
    report.add("step_full", "ms", _step(volume, dataclasses.replace(SHAPE, linear=Full())))


def _step(volume, config: FieldConfig, points: int = 16384) -> float:
    """Milliseconds per step of Adam, the best of three runs."""
    steps = Steps(OccupancyTask(volume, OccupancySettings(points_per_step=points)), config, STEPS)
    return 1e3 * min(steps() for _ in range(3))
