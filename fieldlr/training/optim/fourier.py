"""Adam in a Fourier basis: W = L B with fixed cosines B, of which only L is trained.

Shi, Zhou and Gu 2024, "Improved implicit neural representation with Fourier reparameterized
training". They train L and multiply it out at the end. A step of L moves W by that step times B, so
the same is done here to W itself: its gradient is taken to the basis, Adam steps there, and the
step is taken back. Nothing has to be multiplied out, and a file is that of a dense network.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.training.optim.adam import BETAS, EPSILON
from fieldlr.training.optim.optimizer import Optimizer

# Frequencies 1 to NUM_FREQUENCIES and their reciprocals, with NUM_PHASES phases each.
NUM_FREQUENCIES, NUM_PHASES = 32, 8


class FourierAdam(Optimizer):
    """For parameters that are matrices (out, in), with learning rates on Adam's scale."""

    def update(self, parameters: list[Float[Tensor, " ..."]], rate: float) -> None:
        for parameter in parameters:
            assert parameter.grad is not None
            self._move(parameter, parameter.grad, rate)

    def _move(self, parameter: Tensor, dense_gradient: Tensor, rate: float) -> None:
        basis = fourier_basis(parameter.shape[1]).to(parameter.device, parameter.dtype)
        gradient = dense_gradient @ basis.T
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["mean"], state["square"] = (torch.zeros_like(gradient) for _ in range(2))
        state["step"] += 1.0
        corrections = [1.0 - beta ** state["step"].item() for beta in BETAS]
        mean = state["mean"].lerp_(gradient, 1.0 - BETAS[0])
        square = state["square"].lerp_(gradient.square(), 1.0 - BETAS[1])
        change = mean / (square / corrections[1]).sqrt().add_(EPSILON)
        parameter.sub_(change @ basis, alpha=rate / corrections[0])


@lru_cache
def fourier_basis(in_features: int) -> Float[Tensor, "waves in"]:
    """B: cosines over the input units, one a row.

    The units lie evenly on one period of the lowest frequency. B is scaled such that the step
    sign(G B^T) B of a random gradient G has the size of a step of Adam in W.
    """
    counts = torch.arange(1, NUM_FREQUENCIES + 1, dtype=torch.float64)
    frequencies = torch.cat([1.0 / counts.flip(0), counts[1:]])
    phases = torch.arange(NUM_PHASES, dtype=torch.float64) * (2.0 * math.pi / NUM_PHASES)
    period = 2.0 * math.pi * NUM_FREQUENCIES
    places = torch.linspace(-0.5 * period, 0.5 * period, in_features, dtype=torch.float64)
    waves = torch.cos(frequencies[:, None, None] * places + phases[:, None]).flatten(0, 1)
    # sign(g) is sqrt(2 / pi) g / std(g) and an error that does not depend on the basis.
    basis = waves / waves.norm(dim=0)
    size = math.sqrt(2.0 / math.pi * len(basis)) * (basis.T @ basis).norm() / in_features
    return basis / size
