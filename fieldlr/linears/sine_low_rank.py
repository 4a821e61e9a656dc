"""`sine-low-rank`: W = sin(omega U V^T) / g (Ji et al. 2024, equation 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.linears.full import FullLinear
from fieldlr.linears.linear import (
    Linear,
    check_rank,
    default_std,
    draw_bias,
    stays_dense,
    uniform_,
)


@dataclass(frozen=True)
class SineLowRank:
    """Stores U (out, rank) and V (in, rank); omega and the gain g are fixed, not learned."""

    rank: int = 5
    omega: float | Literal["auto"] = "auto"

    def __post_init__(self):
        check_rank("sine-low-rank", self.rank)
        if self.omega != "auto" and not 0.0 < self.omega < math.inf:
            raise FieldlrError(
                f"omega must be a number above 0; got {self.omega}. "
                "Use --omega auto, or a number such as 100."
            )

    def omega_for(self, in_features: int) -> float:
        """omega, or what `auto` stands for in a layer of this many inputs.

        At the start every entry of U V^T has a standard deviation of 1 / (3 sqrt(in)) at every
        rank, so 3 sqrt(in) is one radian of phase. A rank of 1 wants three radians and a large
        rank one: the stable rank of sin(omega U V^T) saturates the sooner the larger the rank is.
        """
        if self.omega == "auto":
            return 3.0 * math.sqrt(in_features) * (1.0 + 7.0 / self.rank)
        return float(self.omega)

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer that starts as the authors' does; `std` other than a dense layer's moves g."""
        if stays_dense(self.rank, in_features, out_features):
            return FullLinear(in_features, out_features, bias, generator, std)
        gain = 1.0 / (math.sqrt(3.0) * (std or default_std(in_features)))
        omega = self.omega_for(in_features)
        return SineLowRankLinear(in_features, out_features, self.rank, omega, gain, bias, generator)

    def num_weights(self, in_features: int, out_features: int) -> int:
        """Numbers stored for W."""
        return min(self.rank * (in_features + out_features), in_features * out_features)


class SineLowRankLinear(Linear):
    """W = sin(omega U V^T) / gain, element by element."""

    def __init__(
        self, in_features, out_features, rank, omega, gain=None, bias=True, generator=None
    ):
        super().__init__(in_features, out_features)
        self.omega = omega
        self.gain = gain or math.sqrt(in_features)
        # kaiming_uniform_(a=sqrt(5)) on tensors of shape (out, rank) and (rank, in).
        self.U = uniform_((out_features, rank), rank**-0.5, generator)
        self.V = uniform_((in_features, rank), in_features**-0.5, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self) -> Tensor:
        return torch.sin(self.U @ (self.omega * self.V.T)) / self.gain

    def jacobian(self, passes: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        # dW_ij/dU_ir = slope_ij V_jr and dW_ij/dV_jr = slope_ij U_ir: both are sums over a row
        # or a column of W, so a column of U or V costs one product and no outer one.
        ((inputs, deltas),) = passes
        slope = torch.cos(self.U @ (self.omega * self.V.T)) * (self.omega / self.gain)
        by_u = [deltas * (inputs @ (slope * v).T.to(inputs.dtype)) for v in self.V.T]
        by_v = [inputs * (deltas @ (slope * u[:, None]).to(inputs.dtype)) for u in self.U.T]
        return {"U": torch.stack(by_u, 2).flatten(1), "V": torch.stack(by_v, 2).flatten(1)}

    def extra_repr(self) -> str:
        rank = self.U.shape[1]
        return f"{super().extra_repr()}, rank={rank}, omega={self.omega:g}, gain={self.gain:g}"
