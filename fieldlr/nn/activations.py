"""Activations of a field's MLP, each with the initialisation and the hand-written passes it needs.

An activation is h = f(scale z). The engine folds `scale` into the weights, so that the passes here
see u = scale z: `forward` turns u into h, and `backward` turns dL/dh into dL/du / slope in its own
buffer; `slope` is folded into the weights of the backward pass in its turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Relu:
    """max(z, 0)."""

    tinycudann = "ReLU"
    scale = 1.0
    slope = 1.0

    def __call__(self, z: Tensor) -> Tensor:
        return torch.relu(z)

    def forward(self, u: Tensor) -> Tensor:
        return u.clamp_min_(0.0)

    def backward(self, grad: Tensor, u: Tensor, h: Tensor) -> Tensor:
        return torch.ops.aten.threshold_backward(grad, h, 0.0)

    def weight_std(self, in_features: int, first: bool) -> float:
        """He et al. 2015."""
        return math.sqrt(2.0 / in_features)


@dataclass(frozen=True)
class Sine:
    """sin(omega_0 z) (SIREN, Sitzmann et al. 2020)."""

    omega_0: float = 30.0
    tinycudann = None
    slope = 1.0

    @property
    def scale(self) -> float:
        return self.omega_0

    def __call__(self, z: Tensor) -> Tensor:
        return torch.sin(self.omega_0 * z)

    def forward(self, u: Tensor) -> Tensor:
        return torch.sin(u)

    def backward(self, grad: Tensor, u: Tensor, h: Tensor) -> Tensor:
        return grad.mul_(torch.cos(u))

    def weight_std(self, in_features: int, first: bool) -> float:
        """Standard deviation of the uniform laws of SIREN's section 3.2."""
        bound = 1.0 / in_features if first else math.sqrt(6.0 / in_features) / self.omega_0
        return bound / math.sqrt(3.0)


@dataclass(frozen=True)
class Gaussian:
    """exp(-z^2 / (2 sigma^2)) (Ramasinghe and Lucey 2022)."""

    sigma: float = 0.1
    tinycudann = None
    slope = -2.0

    @property
    def scale(self) -> float:
        return 1.0 / (math.sqrt(2.0) * self.sigma)

    def __call__(self, z: Tensor) -> Tensor:
        return torch.exp(-((self.scale * z) ** 2))

    def forward(self, u: Tensor) -> Tensor:
        return (u * u).neg_().exp_()

    def backward(self, grad: Tensor, u: Tensor, h: Tensor) -> Tensor:
        return grad.mul_(h).mul_(u)

    def weight_std(self, in_features: int, first: bool) -> None:
        """The default of a dense layer."""
        return None


Activation = Relu | Sine | Gaussian
ACTIVATIONS = {"relu": Relu, "sine": Sine, "gaussian": Gaussian}
