"""The backbone `seeded-frame`: W = diag(b) B diag(d) A^T, with seeded A and B."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fieldlr.nn.linears.linear import Passes, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear
from fieldlr.system import seeded


class SeededFrameLinear(StructuredLinear):
    """Trained scales in a frozen random frame that the format's own generator draws.

    Units cannot be permuted, because the frame is fixed.
    """

    start_at_zero = "d"

    d: Float[Tensor, " rank"]
    b: Float[Tensor, " out"]
    A: Float[Tensor, "in rank"]
    B: Float[Tensor, "out rank"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        (rank,) = shapes["d"]
        for name, stream, units in (
            ("A", seeded.FRAME_IN, self.in_features),
            ("B", seeded.FRAME_OUT, self.out_features),
        ):
            self.register_buffer(name, seeded.uniform(stream, (units, rank)), persistent=False)
        return {"d": std / rank**0.5, "b": 1.0}

    def draw(
        self, name: str, shape: tuple[int, ...], generator: torch.Generator | None
    ) -> Float[nn.Parameter, " ..."]:
        return (
            nn.Parameter(torch.ones(shape)) if name == "b" else super().draw(name, shape, generator)
        )

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return self.b[:, None] * ((self.B * self.d) @ self.A.T)

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((inputs, deltas),) = passes
        read = inputs @ self.A.to(inputs.dtype)
        frame = self.B.to(inputs.dtype)
        by_d = read * ((deltas * self.b.to(inputs.dtype)) @ frame)
        return {"d": by_d, "b": deltas * ((read * self.d.to(inputs.dtype)) @ frame.T)}


@dataclass(frozen=True)
class SeededFrame(Structured):
    """Stores d (rank) and b (out) (VeRA, Kopiczko et al. 2024; SVFit, LoLDU and TeRA are kin)."""

    name = "seeded-frame"
    number = 11
    summary = "W = diag(b) B diag(d) Aᵀ with seeded A and B: only scales are stored"
    layer = SeededFrameLinear

    rank: int = rank_option(1000)

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        return {"d": (self.rank,), "b": (out_features,)}
