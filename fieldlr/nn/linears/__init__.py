"""Backbones: linear layers that differ in how they parameterise W.

An entry of LINEARS is the config, the command-line choice, the tag in a file and the factory:
`SineLowRank(rank=5).build(256, 256)` is an `nn.Module` that replaces `nn.Linear`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from fieldlr.nn.linears.adapter import Adapter as Adapter
from fieldlr.nn.linears.adapter import adapt as adapt
from fieldlr.nn.linears.blast import Blast as Blast
from fieldlr.nn.linears.full import Full as Full
from fieldlr.nn.linears.hadamard import Hadamard as Hadamard
from fieldlr.nn.linears.hashed import Hashed as Hashed
from fieldlr.nn.linears.kernel_low_rank import KernelLowRank as KernelLowRank
from fieldlr.nn.linears.kronecker import Kronecker as Kronecker
from fieldlr.nn.linears.linear import Linear as Linear
from fieldlr.nn.linears.linear import LinearConfig as LinearConfig
from fieldlr.nn.linears.linear import Units as Units
from fieldlr.nn.linears.low_rank import LowRank as LowRank
from fieldlr.nn.linears.monarch import Monarch as Monarch
from fieldlr.nn.linears.seeded_frame import SeededFrame as SeededFrame
from fieldlr.nn.linears.seeded_low_rank import SeededLowRank as SeededLowRank
from fieldlr.nn.linears.seeded_sine import SeededSine as SeededSine
from fieldlr.nn.linears.sine_low_rank import PhaseSpread as PhaseSpread
from fieldlr.nn.linears.sine_low_rank import SineLowRank as SineLowRank
from fieldlr.nn.linears.sparse_low_rank import SparseLowRank as SparseLowRank
from fieldlr.system.registry import Registry

LINEARS: Registry[type[LinearConfig]] = Registry(
    "backbone",
    Full,
    LowRank,
    SineLowRank,
    Hadamard,
    Kronecker,
    Monarch,
    Blast,
    KernelLowRank,
    SparseLowRank,
    SeededLowRank,
    SeededSine,
    SeededFrame,
    Hashed,
)


def linear_layers(module: nn.Module) -> Iterator[tuple[str, Linear]]:
    """(name, layer) of every backbone layer inside `module`, in order of use."""
    for name, layer in module.named_modules():
        if isinstance(layer, Linear):
            yield name, layer


def replace(
    module: nn.Module, linear: LinearConfig, generator: torch.Generator | None = None
) -> nn.Module:
    """Replaces, in place, every `nn.Linear` inside `module` by an untrained layer of this kind."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            size = child.in_features, child.out_features
            layer = linear.build(*size, bias=child.bias is not None, generator=generator)
            setattr(module, name, layer.to(child.weight.device, child.weight.dtype))
        else:
            replace(child, linear, generator)
    return module
