"""Common parts of the sweeps: fits of a number of steps, and results saved after each fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.system.files import replacing
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import FitState, start_fit
from fieldlr.training.tasks import Task


class Trials:
    """Results in a JSON file, each with its setting, from which a sweep resumes."""

    def __init__(self, path: Path):
        self.path = path
        self.done: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []

    def has(self, setting: dict[str, Any]) -> bool:
        """Whether there is a result for this setting."""
        return any(setting.items() <= known.items() for known in self.done)

    def keep(self, trial: dict[str, Any]) -> None:
        """Adds a result, and saves the file."""
        self.done.append(trial)
        print(trial, flush=True)
        with replacing(self.path) as place:
            place.write_text(json.dumps(self.done, indent=1))


def trained(task: Task, config: FieldConfig, seed: int, steps: int) -> FitState:
    """The state of a fit after this number of steps."""
    state = start_fit(task, config, seed, torch.device("cpu"))
    for _ in fit(state, FitConfig(steps=steps)):
        pass
    return state
