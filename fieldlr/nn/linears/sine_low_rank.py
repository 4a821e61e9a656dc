"""`sine-low-rank`: W = sin(omega U V^T) / g (Ji et al. 2024, equation 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import (
    Linear,
    check_rank,
    default_std,
    draw_bias,
    stays_dense,
    uniform_,
)

RADIANS = " rad"


@dataclass(frozen=True)
class SineLowRank:
    """Stores U (out, rank) and V (in, rank); omega and the gain g are fixed, not learned.

    `omega` is a number, the same in every layer, or the spread of the phase omega U V^T at the
    start, as "4 rad", which every layer has by an omega of its own. "auto" becomes such a spread.
    """

    rank: int = 5
    omega: float | str = "auto"

    def __post_init__(self):
        check_rank("sine-low-rank", self.rank)
        if self.omega == "auto":
            object.__setattr__(self, "omega", in_radians(automatic_spread(self.rank)))
        number = self.omega if self.spread is None else self.spread
        if not isinstance(number, int | float) or not 0.0 < number < math.inf:
            raise FieldlrError(
                f"omega must be a number above 0; got {self.omega}. "
                "Use --omega auto, or a number such as 100."
            )

    @property
    def spread(self) -> float | None:
        """The standard deviation of the phase at the start, in radians; None where omega is."""
        if not (isinstance(self.omega, str) and self.omega.endswith(RADIANS)):
            return None
        try:
            return float(self.omega.removesuffix(RADIANS))
        except ValueError:
            return math.nan

    def omega_for(self, in_features: int) -> float:
        """omega in a layer of this many inputs.

        At the start every entry of U V^T has a standard deviation of 1 / (3 sqrt(in)) at every
        rank, so 3 sqrt(in) is one radian of phase.
        """
        if self.spread is not None:
            return 3.0 * math.sqrt(in_features) * self.spread
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


def automatic_spread(rank: int) -> float:
    """The rule for omega, in radians: from 8 for rank 1 down to 3 (measured, docs/paper.md).

    The sine of a phase of rank 1 is nearly of rank 1 until it has gone round more than once; the
    larger the rank, the sooner sin(omega U V^T) is as good as a random matrix.
    """
    return float(f"{3.0 + 5.0 / rank:.4g}")


def first_omega(rank: int) -> str:
    """What "auto" stood for before `automatic_spread`: in files, and in runs that say so."""
    return in_radians(1.0 + 7.0 / rank)


def in_radians(spread: float) -> str:
    """The text that `SineLowRank.omega` has for a spread."""
    return repr(float(spread)).removesuffix(".0") + RADIANS


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

    def phase_rates(self, radians: float) -> dict[str, float]:
        """Adam's rates of U and V by which a step of either moves every phase so far at the start.

        A step changes each number by the rate. A phase is omega times the sum of rank products of
        a number of U, 1 / sqrt(3 rank) large, and one of V, 1 / sqrt(3 in): with one rate for both
        V, whose numbers are smaller, would move it sqrt(in / rank) times as far as U.
        """
        rate = radians * math.sqrt(3.0) / self.omega
        return {"U": rate * math.sqrt(self.in_features / self.U.shape[1]), "V": rate}

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
