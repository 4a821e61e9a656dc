"""The rate term: the coded size of a field's parameters as a differentiable penalty.

Under a Laplace distribution of mean distance b, a parameter w takes |w| / b nats more than a 0, so
a tensor gets smaller in the file when unimportant parameters shrink.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.codec.levels import stepped
from fieldlr.fields.field import Field
from fieldlr.training.tasks import Task

# The perturbation of parameters, in quantisation steps, at which the loss is still quadratic.
PERTURBATION = 0.5


class RateTerm:
    """`multiplier` times the size of the parameters in nats: the sum of weight w^2 / 2.

    |w| is replaced by w^2 / (2 |w|) + const, which has the same slope, with |w| at least half a
    quantisation step.
    """

    def __init__(self, field: Field, steps: Sequence[float], multiplier: float):
        self.field, self.steps, self.multiplier = field, steps, multiplier

    @torch.no_grad()
    def penalty_weights(self) -> list[Float[Tensor, " ..."]]:
        """The weight of every parameter."""
        weights = []
        for parameter, step in zip(stepped(self.field).values(), self.steps, strict=True):
            size = parameter.abs().clamp_min(0.5 * step)
            weights.append(self.multiplier / (size.mean() * size))
        return weights

    def __call__(self) -> Float[Tensor, ""]:
        """The value of the penalty."""
        pairs = zip(self.penalty_weights(), stepped(self.field).values(), strict=True)
        first, *others = (0.5 * (weight * own.square()).sum() for weight, own in pairs)
        return sum(others, first)


@torch.no_grad()
def rate_multiplier(task: Task, field: Field, steps: Sequence[float], seed: int) -> float:
    """The decrease of the loss per nat of size, the Lagrange multiplier of the rate.

    Quantisation raises the loss by D, proportional to the squared steps; one nat more for every
    parameter, which is e times finer steps, saves 2 D. D is measured on one batch.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = {name: value.clone() for name, value in field.state_dict().items()}
    parameters = list(stepped(field).values())
    moves = [
        (torch.rand(p.shape, generator=generator).to(p) - 0.5) * (PERTURBATION * step) * (p != 0)
        for p, step in zip(parameters, steps, strict=True)
    ]
    batch = generator.get_state()

    def loss(sign: float) -> float:
        field.load_state_dict(kept)  # Computing a loss may change buffers.
        for parameter, move in zip(parameters, moves, strict=True):
            parameter.add_(sign * move)
        generator.set_state(batch)
        with torch.enable_grad():
            return task.loss(field, generator, 1.0)[0].item()

    curvature = loss(1.0) + loss(-1.0) - 2.0 * loss(0.0)
    field.load_state_dict(kept)
    count = max(1, sum(int((p != 0).sum()) for p in parameters))
    return max(curvature, 0.0) / PERTURBATION**2 / count
