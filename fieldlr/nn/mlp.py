"""A multilayer perceptron whose hidden layers are of one backbone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fieldlr.errors import FieldlrError
from fieldlr.nn.activations import Activation
from fieldlr.nn.execution import Layer, run_layers
from fieldlr.nn.linears import Full, Linear, LinearConfig


def engine_layers(
    linear: Linear, activation: Activation | None = None, skip: bool = False
) -> list[Layer]:
    """The engine layers of a linear layer: one product, or two where factors are cheaper."""
    *first, last = reversed(linear.factors())
    layers = [Layer(factor, None, None, skip and i == 0) for i, factor in enumerate(first)]
    return [*layers, Layer(last, linear.bias, activation, skip and not first)]


@dataclass(frozen=True)
class Hidden:
    """Hidden units: the linear layer that produces them, its activation, the layers they feed."""

    name: str  # of the layer before, within the field
    before: Linear
    after: tuple[tuple[str, Linear], ...]
    activation: Activation


class Mlp(nn.Module):
    """Layers in -> width, `depth` times width -> width, width -> out, activations in between.

    The width x width layers are of the backbone `linear`; so are the first and last one with
    `factorise_ends`. `skips` are the hidden layers (from 1) that also get the network's input.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        linear: LinearConfig,
        activation: Activation,
        width: int,
        depth: int,
        skips: tuple[int, ...] = (),
        factorise_ends: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.skips = activation, skips
        end = linear if factorise_ends else Full()
        self.linears = nn.ModuleList()
        for index in range(depth + 2):
            inputs = in_features if index == 0 else width + in_features * (index in skips)
            outputs = out_features if index == depth + 1 else width
            kind = linear if 1 <= index <= depth else end
            last = index == depth + 1
            std = None if last else activation.weight_std(inputs, first=index == 0)
            self.linears.append(kind.build(inputs, outputs, generator=generator, std=std))
        if not linear.is_dense and all(layer.is_dense for layer in self.linears):
            raise FieldlrError(
                f"{linear} is as large as the dense layers of a network of width {width} and "
                f"depth {depth}. Use a lower `rank`, or the backbone full."
            )
        self._cache: tuple[tuple, list[Layer]] | None = None

    def layers(self) -> list[Layer]:
        """The engine layers; computed at each call, or cached while gradients are disabled."""
        if torch.is_grad_enabled():
            # A fused optimiser changes weights without incrementing their versions.
            self._cache = None
            return self._materialise()
        key = tuple((p.data_ptr(), p._version) for p in self.parameters())
        if self._cache is None or self._cache[0] != key:
            self._cache = (key, self._materialise())
        return self._cache[1]

    def _linears(self) -> Iterator[Linear]:
        # The stubs type a ModuleList as holding any Module.
        return cast("Iterator[Linear]", iter(self.linears))

    def _materialise(self) -> list[Layer]:
        last = len(self.linears) - 1
        return [
            layer
            for index, linear in enumerate(self._linears())
            for layer in engine_layers(
                linear, None if index == last else self.activation, index in self.skips
            )
        ]

    def forward(
        self, x: Float[Tensor, "n in"], dtype: torch.dtype | None = None
    ) -> Float[Tensor, "n out"]:
        """Rows (N, in) to (N, out); `dtype` as in `execution.run_layers`."""
        return run_layers(self.layers(), x, dtype)

    def hidden_layers(self, name: str) -> Iterator[Hidden]:
        """Its hidden layers; `name` is that of this network within the field."""
        named = [(f"{name}.linears.{i}", layer) for i, layer in enumerate(self._linears())]
        for (before, layer), (after, following) in pairwise(named):
            yield Hidden(before, layer, ((after, following),), self.activation)
