"""Muon: optimiser steps of equal size in every direction of a matrix.

Jordan et al. 2024, "Muon: an optimizer for hidden layers". The momentum M = P S Q^T is replaced by
its orthogonal factor P Q^T, found by a quintic Newton-Schulz iteration, so that directions with a
small gradient are trained as fast as the others. It is for the matrices between hidden layers;
first and last layers, biases and tables use Adam.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.execution import fast_format
from fieldlr.training.optim.optimizer import Optimizer

MOMENTUM = 0.95
# The quintic of Jordan et al.: five iterations bring singular values of 0.003 to 1 near 1.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# An orthogonal matrix times this and the root of its longer side has the root mean square of an
# Adam step, so that learning rates are comparable (Liu et al. 2025, "Muon is scalable").
ADAM_RMS = 0.2


class Muon(Optimizer):
    """For parameters that are matrices, with learning rates on Adam's scale."""

    def update(self, parameters: list[Float[Tensor, " ..."]], rate: float) -> None:
        for parameter in parameters:
            assert parameter.grad is not None
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            momentum = state["momentum"].lerp_(parameter.grad, 1.0 - MOMENTUM)
            ahead = parameter.grad.lerp(momentum, MOMENTUM)  # Nesterov momentum
            size = rate * ADAM_RMS * max(parameter.shape) ** 0.5
            parameter.sub_(orthogonal_factor(ahead), alpha=size)


def orthogonal_factor(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """P Q^T of matrix (m, n) = P S Q^T, approximately: singular values between 0.7 and 1.2."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / x.norm().clamp_min(1e-30)).to(fast_format(matrix.device.type))
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.T if tall else x).to(matrix.dtype)
