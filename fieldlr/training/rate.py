"""What a field's numbers cost in a file, as a term to train with.

Numbers are coded by laws that fit each tensor. By Laplace's law of mean distance b, a number w
takes |w| / b nats more than a 0, so that a tensor takes less when what hardly matters is smaller.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from fieldlr.fields.field import Field
from fieldlr.training.tasks import Task

# A field is disturbed by this part of its steps, where its loss is a model still.
DISTURBANCE = 0.5


class RateTerm:
    """`multiplier` times the nats that parameters take: the sum of weight w^2 / 2.

    |w| is taken as w^2 / (2 |w|), with its slope, and with no infinite one within half a step of 0.
    """

    def __init__(self, parameters: Sequence[Parameter], steps: Sequence[float], multiplier: float):
        self.parameters, self.steps, self.multiplier = parameters, steps, multiplier

    @torch.no_grad()
    def penalty_weights(self) -> list[Float[Tensor, " ..."]]:
        """A weight for every entry of every tensor."""
        weights = []
        for parameter, step in zip(self.parameters, self.steps, strict=True):
            size = parameter.abs().clamp_min(0.5 * step)
            weights.append(self.multiplier / (size.mean() * size))
        return weights

    def __call__(self) -> Float[Tensor, ""]:
        """What is added to a loss."""
        pairs = zip(self.penalty_weights(), self.parameters, strict=True)
        first, *others = (0.5 * (weight * own.square()).sum() for weight, own in pairs)
        return sum(others, first)


@torch.no_grad()
def rate_multiplier(task: Task, field: Field, steps: Sequence[float], seed: int) -> float:
    """By how much a loss falls where the numbers of a field take a nat more each, for each of them.

    Rounding to steps raises it by D in all, which is in proportion to their squares, so that a
    nat more of every number, e times finer steps, saves 2 D. D is measured, on one batch.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = {name: value.clone() for name, value in field.state_dict().items()}
    parameters = list(field.parameters())
    moves = [
        (torch.rand(p.shape, generator=generator).to(p) - 0.5) * (DISTURBANCE * step) * (p != 0)
        for p, step in zip(parameters, steps, strict=True)
    ]
    batch = generator.get_state()

    def loss(sign: float) -> float:
        field.load_state_dict(kept)  # A loss may change what is no parameter.
        for parameter, move in zip(parameters, moves, strict=True):
            parameter.add_(sign * move)
        generator.set_state(batch)
        with torch.enable_grad():
            return task.loss(field, generator, 1.0)[0].item()

    bend = loss(1.0) + loss(-1.0) - 2.0 * loss(0.0)
    field.load_state_dict(kept)
    count = max(1, sum(int((p != 0).sum()) for p in parameters))
    return max(bend, 0.0) / DISTURBANCE**2 / count
