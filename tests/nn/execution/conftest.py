"""What the documentation of tiny-cuda-nn says that it computes, in plain torch on a CPU."""

import sys
import types

import pytest
import torch
from torch import nn

from fieldlr.nn.execution import tinycudann

PRIMES = (1, 2_654_435_761, 805_459_861)


class Network(nn.Module):
    """FullyFusedMLP: no biases, matrices row by row one after another."""

    precision = torch.float32  # The real one has half precision; without it, errors stand out.

    def __init__(self, inputs, outputs, config):
        super().__init__()
        assert config["otype"] == "FullyFusedMLP" and config["n_neurons"] in (16, 32, 64, 128)
        assert config["activation"] == "ReLU" and config["output_activation"] == "None"
        width, self.outputs = config["n_neurons"], outputs
        hidden = [(width, width)] * (config["n_hidden_layers"] - 1)
        self.shapes = [(width, -(-inputs // 16) * 16), *hidden, (-(-outputs // 16) * 16, width)]
        self.params = nn.Parameter(torch.zeros(sum(m * n for m, n in self.shapes)))
        self.loss_scale = 128.0

    def matrices(self):
        flat = self.params.to(self.precision).split([m * n for m, n in self.shapes])
        return [part.view(shape) for part, shape in zip(flat, self.shapes, strict=True)]

    def forward(self, x):
        *hidden, last = self.matrices()
        h = x.to(self.precision)
        for matrix in hidden:
            h = (h @ matrix.T).relu()
        return (h @ last.T)[:, : self.outputs]


class Encoding(nn.Module):
    """One level of a grid: positions scale x + 1/2, the node (i, j, k) by place or by hash."""

    def __init__(self, inputs, config, dtype):
        super().__init__()
        assert inputs == 3 and dtype == torch.float32
        assert config["otype"] == "Grid" and config["n_levels"] == 1
        self.nodes, self.channels = config["base_resolution"], config["n_features_per_level"]
        self.rows = -(-(self.nodes**3) // 8) * 8
        if config["type"] == "Hash":
            self.rows = min(self.rows, 2 ** config["log2_hashmap_size"])
        self.params = nn.Parameter(torch.zeros(self.rows * self.channels))

    def forward(self, x):
        position = (self.nodes - 1) * x + 0.5
        cell, total = position.floor(), 0.0
        table = self.params.view(self.rows, self.channels)
        for corner in range(8):
            bits = torch.tensor([corner & 1, (corner >> 1) & 1, corner >> 2])
            near = torch.where(bits.bool(), position - cell, 1.0 - (position - cell))
            node = (cell.long() + bits) % 2**32
            total = total + near.prod(1, keepdim=True) * table[self.place(node)]
        return total

    def place(self, node):
        factors = (1, self.nodes, self.nodes**2)
        if self.rows < self.nodes**3:
            i, j, k = ((n * p) % 2**32 for n, p in zip(node.T, PRIMES, strict=True))
            return (i ^ j ^ k) % self.rows
        return sum(n * f for n, f in zip(node.T, factors, strict=True)) % 2**32 % self.rows


@pytest.fixture
def emulation(monkeypatch):
    """The emulated library in the place of the real one."""
    library = types.SimpleNamespace(Network=Network, Encoding=Encoding)
    monkeypatch.setitem(sys.modules, "tinycudann", library)
    caches = tinycudann.level, tinycudann.network
    for cache in caches:
        cache.cache_clear()
    yield library
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def half_emulation(emulation, monkeypatch):
    """The emulated library in the precision of the real one."""
    monkeypatch.setattr(emulation.Network, "precision", torch.float16)
    return emulation


@pytest.fixture
def library(cuda):
    """The real library, where it works."""
    reason = tinycudann.reason_against()
    if reason is not None:
        pytest.skip(f"tiny-cuda-nn: {reason}")
