"""Comparison of optimisers for shape networks in equal training time.

    python studies/optimisers.py SOURCE --by adam,muon,soap [--backbone full] [--rank K]
        [--on matrix|factor] [--rate R] [--seconds 35]

`--on` selects the parameters that the optimiser trains, square matrices or factors; Adam trains the
others. Gauss-Newton is off. Prints the IoU on a fixed sample of voxels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from fieldlr.data import open_source
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.optim.muon import Muon
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit


class Soap(torch.optim.Optimizer):
    """Adam in the eigenbases of the gradients' second moments (Vyas et al. 2024)."""

    BETAS, SHAMPOO_BETA, REFRESH_STEPS = (0.9, 0.99), 0.95, 10

    def __init__(self, groups, lr: float = 1e-3):
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                self._update(parameter, self.state[parameter], group["lr"])

    def _update(self, parameter: Tensor, state: dict, rate: float) -> None:
        gradient = parameter.grad
        moments = gradient @ gradient.T, gradient.T @ gradient
        if not state:
            state |= {"moments": [m.clone() for m in moments], "steps": 0}
            state["bases"] = [torch.linalg.eigh(m)[1] for m in moments]
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
            return
        state["steps"] += 1
        for kept, new in zip(state["moments"], moments, strict=True):
            kept.lerp_(new, 1.0 - self.SHAMPOO_BETA)
        left, right = state["bases"]
        first, second = self.BETAS
        state["mean"].lerp_(gradient, 1.0 - first)
        turned = left.T @ gradient @ right
        state["square"].mul_(second).addcmul_(turned, turned, value=1.0 - second)
        mean = (left.T @ state["mean"] @ right) / (1.0 - first ** state["steps"])
        root = (state["square"] / (1.0 - second ** state["steps"])).sqrt() + 1e-12
        parameter.sub_(rate * (left @ (mean / root) @ right.T))
        if state["steps"] % self.REFRESH_STEPS == 0 or state["steps"] in (1, 2, 4, 7):
            self._refresh(state)

    @staticmethod
    def _refresh(state: dict) -> None:
        """One orthogonal iteration per side; reorders the second moments accordingly."""
        for side, (moment, basis) in enumerate(zip(state["moments"], state["bases"], strict=True)):
            turned = moment @ basis
            order = (basis * turned).sum(0).argsort(descending=True)
            state["bases"][side] = torch.linalg.qr(turned[:, order])[0]
            state["square"] = state["square"].index_select(side, order)


OPTIMISERS = {"muon": Muon, "soap": Soap}


def measure(source, options: FitOptions, by: str, on: str, rate: float, seconds: float):
    """(IoU, steps) of one fit."""
    task = make_task(source, options)
    state = start_fit(task, field_config(options, source.kind), 0, torch.device("cpu"))
    if by != "adam":
        chosen = [
            p
            for name, p in state.field.named_parameters()
            if (name.endswith((".U", ".V")) if on == "factor" else p.ndim == 2 and is_square(p))
        ]
        kept = {id(p) for p in chosen}
        for group in state.attempt.groups:
            group["params"] = [p for p in group["params"] if id(p) not in kept]
        state.attempt.optimizers.append(OPTIMISERS[by]([{"params": chosen, "lr": rate}]))
        state.attempt.learning_rates.append(rate)
    for _ in fit(state, FitConfig(seconds=seconds)):
        pass
    return task.quality(state.field), state.step


def is_square(parameter: Tensor) -> bool:
    return parameter.shape[0] == parameter.shape[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--by", default="adam,muon,soap")
    parser.add_argument("--on", choices=("matrix", "factor"), default="matrix")
    parser.add_argument("--backbone", default="full")
    parser.add_argument("--rank", type=int)
    parser.add_argument("--rate", type=float, default=6e-3)
    parser.add_argument("--seconds", type=float, default=35.0)
    words = parser.parse_args()
    source = open_source(words.source)
    options = FitOptions.of(backbone=words.backbone, rank=words.rank, optimizer="adam").settled()
    for by in words.by.split(","):
        quality, steps = measure(source, options, by, words.on, words.rate, words.seconds)
        what = f"{words.backbone}, {words.on} by {by}"
        print(f"{what}: {quality:.4f} after {steps} steps", flush=True)


if __name__ == "__main__":
    run_script(main)
