"""What all optimisers have: groups of parameters, and a state for each parameter.

`torch.optim.Optimizer` has more, and its first use loads torch's compiler, which takes seconds at
the start of every training and is not used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class Optimizer:
    """Trains groups {"params": [parameters], "lr": learning rate, ...}."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float = 1e-3) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": lr} | group for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        self.after_step: Callable[[], None] | None = None

    def zero_grad(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Changes the parameters that have a gradient."""
        for group in self.param_groups:
            self.update([p for p in group["params"] if p.grad is not None], group["lr"])
        if self.after_step is not None:
            self.after_step()

    def update(self, parameters: list[Float[Tensor, " ..."]], rate: float) -> None:
        """Changes these by their gradients."""
        raise NotImplementedError
