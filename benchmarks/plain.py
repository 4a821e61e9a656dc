"""Plain baselines: straightforward eager float32 implementations with `nn.Linear`.

Nothing is deliberately slow: denormals are flushed, and threads are torch's default.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Gaussian(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-(x**2) / (2 * 0.1**2))


class SineLowRank(nn.Module):
    def __init__(self, n: int, m: int, rank: int):
        super().__init__()
        self.U = nn.Parameter(torch.empty(m, rank).uniform_(-(rank**-0.5), rank**-0.5))
        self.V = nn.Parameter(torch.empty(n, rank).uniform_(-(n**-0.5), n**-0.5))
        self.bias = nn.Parameter(torch.zeros(m))

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sin(100.0 * self.U @ self.V.T) / math.sqrt(len(self.V))
        return functional.linear(x, weight, self.bias)


class LowRank(nn.Module):
    def __init__(self, n: int, m: int, rank: int):
        super().__init__()
        self.first, self.second = nn.Linear(n, rank, bias=False), nn.Linear(rank, m)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def shape_network(backbone: str, rank: int = 1, width: int = 256) -> nn.Sequential:
    """3-256-256-256-1 with Gaussian activations."""
    make = {
        "full": nn.Linear,
        "low-rank": lambda n, m: LowRank(n, m, rank),
        "sine-low-rank": lambda n, m: SineLowRank(n, m, rank),
    }[backbone]
    return nn.Sequential(
        nn.Linear(3, width),
        Gaussian(),
        make(width, width),
        Gaussian(),
        make(width, width),
        Gaussian(),
        nn.Linear(width, 1),
    )


class ShapeTraining:
    """Uniform voxels, binary cross-entropy, Adam."""

    def __init__(self, solid: Tensor, backbone: str, points: int):
        self.solid, self.points = solid, points  # (X, Y, Z) booleans
        self.network = shape_network(backbone)
        self.adam = torch.optim.Adam(self.network.parameters(), 1e-3)

    def step(self) -> None:
        size = torch.tensor(self.solid.shape)
        voxels = (torch.rand(self.points, 3) * size).long()
        target = self.solid[voxels[:, 0], voxels[:, 1], voxels[:, 2]].float()
        x = (voxels + 0.5) / size * 2.0 - 1.0
        loss = functional.binary_cross_entropy_with_logits(self.network(x)[:, 0], target)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


class RayTraining:
    """Rays with equal steps through a box, positional encoding, alpha compositing, Adam."""

    def __init__(self, width: int, depth: int, rays: int, samples: int, frequencies: int = 10):
        self.rays, self.samples = rays, samples
        self.scales = 2.0 ** torch.arange(frequencies) * math.pi
        sizes = [6 * frequencies, *[width] * depth]
        layers = [m for n, w in itertools.pairwise(sizes) for m in (nn.Linear(n, w), nn.ReLU())]
        self.network = nn.Sequential(*layers, nn.Linear(width, 4))
        self.adam = torch.optim.Adam(self.network.parameters(), 5e-4)

    def step(self) -> None:
        origins = functional.normalize(torch.randn(self.rays, 3), dim=-1) * 2.0
        directions = functional.normalize(torch.rand(self.rays, 3) - 0.5 - origins, dim=-1)
        t = torch.linspace(1.0, 3.0, self.samples) + torch.rand(self.rays, self.samples) * 0.03
        points = origins[:, None] + t[..., None] * directions[:, None]
        angles = (points[..., None] * self.scales).flatten(-2)
        raw = self.network(torch.cat([angles.sin(), angles.cos()], -1))
        alpha = 1.0 - torch.exp(-functional.softplus(raw[..., 3]) * (2.0 / self.samples))
        clear = torch.cumprod(torch.cat([torch.ones(self.rays, 1), 1.0 - alpha + 1e-10], 1), 1)
        color = ((alpha * clear[:, :-1])[..., None] * raw[..., :3].sigmoid()).sum(1)
        loss = functional.mse_loss(color, torch.full_like(color, 0.5))
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


def read_grids(tables: list[Tensor], points: Tensor) -> Tensor:
    """Features (N, C) of dense grids (1, C, D, H, W) at points (N, 3), by torch's sampler."""
    where = points[None, :, None, None]
    return torch.cat(
        [functional.grid_sample(t, where, align_corners=True)[0, :, :, 0, 0] for t in tables]
    ).T
