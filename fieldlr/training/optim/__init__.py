"""Optimisers: Adam, Muon or Fourier-basis Adam for matrices, Gauss-Newton for small networks.

OPTIMIZERS lists a user's choices; the task decides which optimiser each parameter gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.system.registry import Registry
from fieldlr.training.optim.adam import Adam
from fieldlr.training.optim.fourier import FourierAdam
from fieldlr.training.optim.muon import Muon
from fieldlr.training.optim.optimizer import Optimizer


@dataclass(frozen=True)
class OptimizerChoice:
    """A combination of optimisers, as an entry of OPTIMIZERS."""

    name: str
    summary: str
    matrices: type[Muon | FourierAdam] | None = None  # for square ones between hidden layers
    uses_gauss_newton: bool = False  # where the task and the backbone declare it better

    def build(self, groups: list[dict[str, Any]]) -> list[Optimizer]:
        """Optimisers of parameter groups: `matrices` for those so marked, Adam for the others."""
        by_adam, others = ([g for g in groups if g["matrices"] is own] for own in (False, True))
        matrices = [self.matrices(others)] if self.matrices and others else []
        return [Adam(by_adam), *matrices]


OPTIMIZERS: Registry[OptimizerChoice] = Registry(
    "optimizer",
    OptimizerChoice("auto", "Adam, with Muon and Gauss-Newton where they pay", Muon, True),
    OptimizerChoice("adam", "Adam for everything"),
    OptimizerChoice("fourier", "Adam, in a Fourier basis for square matrices", FourierAdam),
)
