"""Activations, each with its weight initialisation and hand-written forward and backward pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.system.entries import Entry
from fieldlr.system.registry import Registry


@dataclass(frozen=True)
class Activation(Entry):
    """h = f(scale z), as an entry of ACTIVATIONS.

    The engine folds `scale` into the weights, so that `forward` and `backward` see u = scale z.
    """

    tinycudann: ClassVar[str | None] = None  # its name in tiny-cuda-nn, if `fused` supports it
    parity: ClassVar[int | None] = None  # 1 where f is even, -1 where it is odd
    slope: ClassVar[float] = 1.0
    scales_frequencies: ClassVar[bool] = False  # a sine of a multiple of z, as in SIREN

    @property
    def scale(self) -> float:
        return 1.0

    def __call__(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """f(scale z), differentiable."""
        raise NotImplementedError

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """h from u, in place where that is faster."""
        raise NotImplementedError

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        """dL/du / slope from dL/dh, in place; `slope` is folded into the weights."""
        raise NotImplementedError

    def weight_std(self, in_features: int, first: bool) -> float | None:
        """Initial standard deviation of the preceding weights; None for `nn.Linear`'s."""
        return None


@dataclass(frozen=True)
class Relu(Activation):
    """max(z, 0)."""

    name = "relu"
    number = 0
    summary = "max(z, 0)"
    tinycudann: ClassVar[str | None] = "ReLU"

    def __call__(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.relu(z)

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return u.clamp_min_(0.0)

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        return torch.ops.aten.threshold_backward(grad, h, 0.0)

    def weight_std(self, in_features: int, first: bool) -> float:
        """He et al. 2015."""
        return math.sqrt(2.0 / in_features)


@dataclass(frozen=True)
class Sine(Activation):
    """sin(omega_0 z) (SIREN, Sitzmann et al. 2020)."""

    name = "sine"
    number = 1
    summary = "sin(ω₀ z)"
    parity = -1
    scales_frequencies = True

    omega_0: float = 30.0

    @property
    def scale(self) -> float:
        return self.omega_0

    def __call__(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sin(self.omega_0 * z)

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sin(u)

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        return grad.mul_(torch.cos(u))

    def weight_std(self, in_features: int, first: bool) -> float:
        """Standard deviation of the uniform distributions of SIREN's section 3.2."""
        bound = 1.0 / in_features if first else math.sqrt(6.0 / in_features) / self.omega_0
        return bound / math.sqrt(3.0)


@dataclass(frozen=True)
class Gaussian(Activation):
    """exp(-z^2 / (2 sigma^2)) (Ramasinghe and Lucey 2022)."""

    name = "gaussian"
    number = 2
    summary = "exp(-z² / 2σ²)"
    parity = 1
    slope = -2.0

    sigma: float = 0.1

    @property
    def scale(self) -> float:
        return 1.0 / (math.sqrt(2.0) * self.sigma)

    def __call__(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.exp(-((self.scale * z) ** 2))

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return (u * u).neg_().exp_()

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        return grad.mul_(h).mul_(u)


@dataclass(frozen=True)
class Finer(Sine):
    """sin(omega_0 (1 + |z|) z), a sine whose frequency grows with |z| (FINER, Liu et al. 2024).

    The derivative is that of the whole expression; the authors' code takes 1 + |z| as constant.
    """

    name = "finer"
    number = 3
    summary = "sin(ω₀ (1 + |z|) z), frequencies that grow with |z|"

    def __call__(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sin(self._phase(self.omega_0 * z))

    def forward(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return torch.sin(self._phase(u))

    def backward(
        self, grad: Float[Tensor, "*n"], u: Float[Tensor, "*n"], h: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        slope = u.abs().mul_(2.0 / self.omega_0).add_(1.0)
        return grad.mul_(torch.cos(self._phase(u))).mul_(slope)

    def _phase(self, u: Tensor) -> Tensor:
        """omega_0 (1 + |z|) z, from u = omega_0 z."""
        return u * (1.0 + u.abs() * (1.0 / self.omega_0))


ACTIVATIONS: Registry[type[Activation]] = Registry("activation", Relu, Sine, Gaussian, Finer)
