"""How long a job takes: reading the source, training, and measuring the quality at the end.

Measuring takes a forward pass for every voxel or for every pixel of the held-out photos. Its time
follows from the number of those samples and from the speed of the training.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.app.workspace import StoredSource, Workspace
from fieldlr.system.duration import duration
from fieldlr.system.json import read_json, write_json
from fieldlr.training.budgets import (
    EVALUATION_SHARE,
    FORWARD_SPEEDUP,
    PHOTOS_SPEED,
    outcome_seconds,
    samples_per_second,
)
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import count_parameters, fit_config
from fieldlr.training.tasks.held_out import RAY_SAMPLES

# Until a training of this kind has finished here: training samples per second, setup in seconds.
TYPICAL_SPEED = 250_000.0
SPEED_FILE = "speed.json"  # of the speed test
TYPICAL_SETUP = {"photos": 10.0, "mesh": 10.0, "volume": 5.0}


@dataclass(frozen=True)
class Speed:
    """How fast this machine was at the last training of a kind."""

    samples_per_second: float
    setup_seconds: float


def test_speed(workspace: Workspace) -> None:
    """Measures the speed of this machine for half a second, once in a workspace."""
    place = workspace.folder / SPEED_FILE
    if not place.exists():
        write_json(place, {"samples_per_second": samples_per_second()})


def measured_speed(workspace: Workspace, kind: str, num_parameters: int | None = None) -> Speed:
    """The speed of the latest finished training of this kind of source, else of the speed test.

    Of a network of so many parameters, where their number is given: others are faster or slower.
    """
    for job in workspace.trainings():
        other = num_parameters not in (None, job.about.get("num_parameters"))
        if job.about.get("kind") != kind or other:
            continue
        result = workspace.store.result(job) or {}
        if result.get("samples") and result.get("seconds") and "setup_seconds" in result:
            return Speed(result["samples"] / result["seconds"], result["setup_seconds"])
    speed, place = TYPICAL_SPEED, workspace.folder / SPEED_FILE
    if place.exists():
        tested = read_json(place)["samples_per_second"]
        speed = tested * (PHOTOS_SPEED if kind == "photos" else 1.0)
    return Speed(speed, TYPICAL_SETUP.get(kind, 10.0))


def evaluation_samples(source: StoredSource, options: FitOptions) -> int:
    """Samples of the field that the final evaluation takes."""
    facts = source.facts
    if source.kind != "photos":
        grid = facts["grid"]
        if options.reading.grid is not None and source.kind == "mesh":
            grid = [side * options.reading.grid / max(grid) for side in grid]
        return round(math.prod(grid))
    factor = options.reading.downscale or facts.get("downscale") or 1
    width, height = facts["smallest_size"]
    # A scene without held-out photos is measured on those it is trained on.
    views = facts["test"] or facts["train"]
    already = facts.get("downscale") or 1  # the size was noted at this downscale
    return round(views * width * height * (already / factor) ** 2 * RAY_SAMPLES)


def evaluation_seconds(samples: int, samples_per_second: float) -> float:
    """How long the evaluation takes at a speed of training."""
    return samples / (FORWARD_SPEEDUP * max(samples_per_second, 1.0))


def training_text(kind: str, options: FitOptions) -> str:
    """The length of the training alone: a duration, or steps."""
    end = fit_config(options, _task_kind(kind))
    return f"{end.steps:,} steps" if end.seconds is None else duration(end.seconds)


def budgets(workspace: Workspace, kind: str, options: FitOptions) -> dict[str, float]:
    """Seconds of training by outcome, good and best, at the speed measured on this machine."""
    task = _task_kind(kind)
    count = count_parameters(options, task)
    return outcome_seconds(options, task, measured_speed(workspace, kind, count).samples_per_second)


def overhead_seconds(
    workspace: Workspace, source: StoredSource, options: FitOptions, exact: bool = False
) -> float:
    """How long a training takes beside its steps: reading the source and measuring the result.

    An `exact` measurement takes as long as it takes, that of a fit a share of the training.
    """
    speed = measured_speed(workspace, source.kind)
    samples = evaluation_samples(source, options)
    measuring = evaluation_seconds(samples, speed.samples_per_second)
    end = fit_config(options, _task_kind(source.kind))
    if not exact and end.seconds is not None:
        measuring = min(measuring, EVALUATION_SHARE * end.seconds)
    return speed.setup_seconds + measuring


def _task_kind(kind: str) -> str:
    return "photos" if kind == "photos" else "mesh"


@dataclass(frozen=True)
class Phase:
    """Where a running training is: its phase, how far it is, and the seconds that are left."""

    name: str  # reading, training, measuring
    progress: float | None = None  # in [0, 1], evaluation included; None: unknown
    seconds_left: float | None = None


def phase_of(last: dict[str, Any], history: Path, samples: int, begun: float | None) -> Phase:
    """The phase of a running training by its last report.

    `history` is the file of reports, whose age tells how old the last one is; `samples` are those
    of the final evaluation; `begun` is when the first step was taken, where that is known.
    """
    share, trained = last.get("progress", 0.0), last.get("seconds", 0.0)
    if not last or share <= 0.0 or trained <= 0.0:
        return Phase("reading" if not last else "training")
    reported = history.stat().st_mtime
    age = max(0.0, time.time() - reported)
    # Previews, checkpoints and quick measurements take time that is not training time.
    slowdown = 1.0 if begun is None else max(1.0, (reported - begun) / trained)
    evaluation = evaluation_seconds(samples, last.get("samples", 0) / trained)
    evaluation = min(evaluation, EVALUATION_SHARE * trained / share)
    training = slowdown * trained * (1.0 / share - 1.0)
    left = max(0.0, training + evaluation - age)
    whole = slowdown * trained / share + evaluation
    name = "training" if share < 1.0 else "measuring"
    if name == "measuring" and left == 0.0:
        return Phase(name)  # longer than expected
    return Phase(name, min(1.0, 1.0 - left / whole), left)
