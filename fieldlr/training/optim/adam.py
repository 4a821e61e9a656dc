"""Adam (Kingma and Ba 2015), as torch computes it in one pass over each tensor."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.adam import adam

from fieldlr.training.optim.optimizer import Optimizer

BETAS, EPSILON = (0.9, 0.99), 1e-15
STATE = ("exp_avg", "exp_avg_sq", "step")


class Adam(Optimizer):
    """For any parameters."""

    def update(self, parameters: list[Float[Tensor, " ..."]], rate: float) -> None:
        if not parameters:
            return
        for parameter in parameters:
            if not self.state[parameter]:
                zeros = [torch.zeros_like(parameter) for _ in range(2)]
                count = torch.zeros((), device=parameter.device)
                self.state[parameter] = dict(zip(STATE, [*zeros, count], strict=True))
        gradients = [p.grad for p in parameters if p.grad is not None]
        means, squares, steps = ([self.state[p][name] for p in parameters] for name in STATE)
        adam(
            parameters,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
