"""Adapters: a frozen layer W0 plus a trainable W of any backbone.

With `SineLowRank` this is the paper's fine-tuning, W0 + sin(omega U V^T) / g (Ji et al. 2024,
section 4.2); with `LowRank` it is LoRA (Hu et al. 2021).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears.linear import LinearConfig


class Adapter(nn.Module):
    """y = (W0 + W) x + b; W0 and b are frozen, only W is trained, from zero.

    `merge` makes it as cheap as the layer it adapts; `unmerge` restores W0 exactly.
    """

    original: Float[Tensor, "out in"] | None

    def __init__(
        self,
        base: nn.Linear,
        linear: LinearConfig,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        change = linear.build(base.in_features, base.out_features, bias=False, generator=generator)
        if change.start_at_zero is None:
            raise FieldlrError(
                f"{linear} is as large as the {base.out_features} x {base.in_features} layer "
                "that it would adapt, or cannot start at zero. Use a factorised backbone of a "
                "lower rank."
            )
        self.base = base.requires_grad_(False)
        nn.init.zeros_(change.get_parameter(change.start_at_zero))
        self.change = change.to(base.weight.device, base.weight.dtype)
        # W0 while merged. A buffer, so that a state saved while merged restores as merged.
        self.register_buffer("original", None)

    @property
    def is_merged(self) -> bool:
        return self.original is not None

    def dense_weight(self) -> Float[Tensor, "out in"]:
        """W0 + W (out, in)."""
        if self.is_merged:
            return self.base.weight
        return self.base.weight + self.change.dense_weight()

    def forward(self, x: Float[Tensor, "*n in"]) -> Float[Tensor, "*n out"]:
        if self.is_merged:
            return self.base(x)
        return self.base(x) + functional.linear(x, self.change.dense_weight())

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """Writes W0 + W into the frozen layer and returns that layer, usable on its own."""
        if not self.is_merged:
            merged = self.dense_weight()
            self.original = self.base.weight.detach().clone()
            self.base.weight.copy_(merged)
        return self.base

    @torch.no_grad()
    def unmerge(self) -> None:
        """Restores W0 bit-exactly."""
        if self.original is not None:
            self.base.weight.copy_(self.original)
            self.original = None


def adapt(
    module: nn.Module, linear: LinearConfig, generator: torch.Generator | None = None
) -> nn.Module:
    """Freezes `module` and wraps every `nn.Linear` inside it, in place, in an adapter.

    Returns the module or, if it is itself an `nn.Linear`, its adapter. Raises FieldlrError and
    changes nothing where the rank is too large for one of the layers.
    """
    places = [
        (parent, name, Adapter(child, linear, generator))
        for parent in module.modules()
        if not isinstance(parent, Adapter)
        for name, child in parent.named_children()
        if type(child) is nn.Linear
    ]
    adapted = Adapter(module, linear, generator) if type(module) is nn.Linear else module
    learning = {id(p) for m in module.modules() if isinstance(m, Adapter) for p in m.parameters()}
    for parameter in module.parameters():
        if id(parameter) not in learning:
            parameter.requires_grad_(False)
    for parent, name, adapter in places:
        setattr(parent, name, adapter)
    return adapted
