"""Training steps of the actual loop, timed by its clock."""

from __future__ import annotations

import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import Task

CPU = torch.device("cpu")


class Steps:
    """Each call runs some training steps of an endless fit, without evaluations."""

    def __init__(self, task: Task, config: FieldConfig, count: int = 20, device=CPU):
        self.state = start_fit(task, config, 0, device)
        self.count = count
        self.reports = fit(self.state, FitConfig(steps=1_000_000_000))

    def __call__(self) -> float:
        """Seconds per step."""
        seconds, step = self.state.seconds, self.state.step
        while self.state.step < step + self.count:
            next(self.reports)
        each = (self.state.seconds - seconds) / (self.state.step - step)
        # Later steps of small networks use Gauss-Newton: restart the count.
        self.state.step = 0
        return each
