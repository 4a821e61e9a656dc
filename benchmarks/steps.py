"""Training steps of the real loop, timed by its own clock."""

from __future__ import annotations

import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import Task

CPU = torch.device("cpu")


class Steps:
    """A call takes some training steps of a fit that has no end; evaluations do not count."""

    def __init__(self, task: Task, config: FieldConfig, count: int = 20, device=CPU):
        self.state = start_fit(task, config, 0, device)
        self.count = count
        self.reports = fit(self.state, FitConfig(steps=1_000_000_000))

    def __call__(self) -> float:
        """Seconds of a step."""
        seconds, step = self.state.seconds, self.state.step
        while self.state.step < step + self.count:
            next(self.reports)
        each = (self.state.seconds - seconds) / (self.state.step - step)
        # Past its first steps a small network is trained by second derivatives: start it anew.
        self.state.step = 0
        return each
