"""Optimisers: Adam, Muon for matrices, and Gauss-Newton for very small networks.

OPTIMIZERS lists a user's choices; the task decides which optimiser each parameter gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from fieldlr.system.registry import Registry
from fieldlr.training.optim.muon import Muon


@dataclass(frozen=True)
class OptimizerChoice:
    """A combination of optimisers, as an entry of OPTIMIZERS."""

    name: str
    summary: str
    uses_muon: bool = False  # for the square matrices between hidden layers
    uses_gauss_newton: bool = False  # where the task and the backbone declare it better

    def build(self, groups: list[dict[str, Any]]) -> list[torch.optim.Optimizer]:
        """Optimisers of parameter groups: Muon for those with `muon`, Adam for the others."""
        by_adam, by_muon = ([g for g in groups if g["muon"] is muon] for muon in (False, True))
        adam = torch.optim.Adam(by_adam, betas=(0.9, 0.99), eps=1e-15, fused=True)
        return [adam, Muon(by_muon)] if by_muon else [adam]


OPTIMIZERS: Registry[OptimizerChoice] = Registry(
    "optimizer",
    OptimizerChoice("auto", "Adam, with Muon and Gauss-Newton where they pay", True, True),
    OptimizerChoice("adam", "Adam for everything"),
)
