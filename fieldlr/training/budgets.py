"""How long a training should be on this machine: until it is good, and until more gains little."""

from __future__ import annotations

import time

import numpy as np
import torch

from fieldlr.data.volume import make_volume
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, preset_of
from fieldlr.training.tasks import OccupancyTask

# The speed test: its length, the edge of its solid in voxels, and how fast photos are beside it.
TEST_SECONDS, TEST_EDGE, PHOTOS_SPEED = 0.5, 32, 1.4


def samples_per_second() -> float:
    """The speed of training on this machine: passes over points of a ball for half a second.

    The first pass, which sets up the kernels, does not count. Photos train PHOTOS_SPEED times as
    fast.
    """
    axis = np.linspace(-1.0, 1.0, TEST_EDGE)
    ball = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2 < 0.5
    task, generator = OccupancyTask(make_volume("ball", ball)), torch.Generator()
    field = task.make_field(field_config(FitOptions(), "mesh"), generator.manual_seed(0))
    samples, began = -1, 0.0
    while samples < 0 or time.perf_counter() - began < TEST_SECONDS:
        loss, count = task.loss(field, generator, 0.0)
        loss.backward()
        samples, began = (0, time.perf_counter()) if samples < 0 else (samples + count, began)
    return samples / (time.perf_counter() - began)


def outcome_seconds(options: FitOptions, kind: str, speed: float) -> dict[str, float]:
    """Seconds of training by outcome, at a speed in samples per second; {} where not known.

    `good` is within about 1 dB of `best`, and twice as long as `best` gains little: the preset's
    numbers of steps (docs/speed.md), and rounded as people would say it.
    """
    preset = preset_of(options, kind)
    return {
        name: _rounded(steps * preset.samples_per_step / speed)
        for name, steps in preset.outcomes.items()
    }


def _rounded(seconds: float) -> float:
    unit = 5.0 if seconds < 60.0 else 30.0 if seconds < 300.0 else 60.0
    return unit * max(1, round(seconds / unit))
