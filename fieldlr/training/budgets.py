"""How long a training should be on this machine: until it is good, and until more gains little."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from fieldlr.data.volume import make_volume
from fieldlr.system.duration import duration
from fieldlr.training.loop import FitConfig
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, preset_of
from fieldlr.training.state import FitState
from fieldlr.training.tasks import OccupancyTask

# The speed test: its length, the edge of its solid in voxels, and how fast photos are beside it.
TEST_SECONDS, TEST_EDGE, PHOTOS_SPEED = 0.5, 32, 1.4
# A fit of fewer steps than these has learned hardly anything, nor has one of fewer than a
# FEW_SHARE-th of those after which its preset is good.
FEW_STEPS, FEW_SHARE = 100, 4

# A forward pass alone is about so many times as fast as a training step on the same samples, and
# evaluating a fit takes at most this share of the time of its training.
FORWARD_SPEEDUP, EVALUATION_SHARE = 3.0, 0.5


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


def evaluation_budget(samples: int) -> int:
    """Samples for the evaluation of a fit that was trained on so many."""
    return int(EVALUATION_SHARE * FORWARD_SPEEDUP * samples)


def has_few_steps(state: FitState, config: FitConfig, good: int = 0) -> bool:
    """Whether time ran out before a fit had learned much.

    `good` is the number of steps after which fits of its preset are good, 0 where not known.
    """
    in_time = config.steps is not None and state.step >= config.steps
    second_order = state.task.second_order
    if second_order is not None and second_order.uses_gauss_newton(state.field):
        return False  # Its steps are few and large.
    fewest = max(FEW_STEPS, good // FEW_SHARE)
    return config.seconds is not None and not in_time and state.step < fewest


def shortfall(state: FitState, config: FitConfig, good: int = 0) -> dict[str, Any]:
    """The `warnings` of a fit: a sentence where it had few steps, with `good_seconds` beside it.

    Those are what a good result takes, at the speed of the steps that were taken; None if unknown.
    """
    if not has_few_steps(state, config, good):
        return {"warnings": []}
    seconds, good_takes = None, ""
    if good and state.step:
        seconds = _rounded(state.seconds * good / state.step)
        good_takes = f" A good one takes about {duration(seconds)} here."
    text = (
        f"Only {state.step} steps were trained in {config.seconds:g} s, too few for a good result."
        f"{good_takes} Train longer, or choose a smaller network (`width`)."
    )
    return {"warnings": [text], "good_seconds": seconds}


def _rounded(seconds: float) -> float:
    unit = 5.0 if seconds < 60.0 else 30.0 if seconds < 300.0 else 60.0
    return unit * max(1, round(seconds / unit))
