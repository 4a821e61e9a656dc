"""The backbone `sine-low-rank`: W = sin(omega U V^T) / g (Ji et al. 2024, equation 4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import (
    Linear,
    LinearConfig,
    MatrixFunction,
    Passes,
    Units,
    default_std,
    draw_bias,
    rank_option,
    stays_dense,
)
from fieldlr.system import draws
from fieldlr.system.entries import Role, Stored
from fieldlr.system.kinds import Kind, Number
from fieldlr.system.options import option


@dataclass(frozen=True)
class PhaseSpread:
    """omega given by the initial standard deviation of the phase omega U V^T.

    Each layer gets its own omega, such that its phase has this spread.
    """

    radians: float

    def omega(self, in_features: int) -> float:
        """omega of a layer with this many inputs.

        Initially every entry of U V^T has the standard deviation 1 / (3 sqrt(in)) at any rank, so
        omega = 3 sqrt(in) gives a spread of one radian.
        """
        return 3.0 * math.sqrt(in_features) * self.radians

    def __str__(self) -> str:
        return repr(float(self.radians)).removesuffix(".0") + " rad"


@dataclass(frozen=True)
class Frequency(Kind):
    """omega: a number, a spread of the phase such as 4rad, or `auto`."""

    @property
    def wants(self) -> str:
        return "a number above 0, a phase in radians such as 4rad, or auto"

    @property
    def metavar(self) -> str:
        return "W|auto"

    def read(self, value: Any) -> float | PhaseSpread | str:
        if isinstance(value, PhaseSpread):
            return PhaseSpread(Number().read(value.radians))
        return value if value == "auto" else Number().read(value)

    def parse(self, text: str) -> float | PhaseSpread | str:
        number = text.removesuffix("rad")
        if number != text:
            return self.read(PhaseSpread(float(number)))
        return text if text == "auto" else self.read(float(text))

    def show(self, value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "")


@dataclass(frozen=True)
class SineLowRank(LinearConfig):
    """Stores U (out, rank) and V (in, rank); omega and the gain g are fixed, not learned.

    `omega` is a number, the same in every layer, or a `PhaseSpread`; "auto" becomes the default
    spread for the rank.
    """

    name = "sine-low-rank"
    number = 2
    label = "Small and sharp"
    summary = "W = sin(ω U Vᵀ) / g, two thin matrices under a sine: small and sharp"
    uses_gauss_newton = True
    has_jacobian = True

    rank: int = rank_option()
    omega: float | PhaseSpread | Literal["auto"] = option(
        Frequency(), "Frequency of the sine", "auto", shown_default="by the rank"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.omega == "auto":
            object.__setattr__(self, "omega", automatic_spread(self.rank))

    def omega_for(self, in_features: int) -> float:
        """omega of a layer with this many inputs."""
        omega = self.omega
        return omega.omega(in_features) if isinstance(omega, PhaseSpread) else float(omega)

    def gain_for(self, in_features: int, std: float | None) -> float:
        """g of a layer with this many inputs whose dense weights would have this `std`."""
        return 1.0 / (math.sqrt(3.0) * (std or default_std(in_features)))

    def build(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        generator: torch.Generator | None = None,
        std: float | None = None,
    ) -> Linear:
        """A layer initialised as the authors' is; a `std` other than a dense layer's changes g."""
        if stays_dense(self.rank, in_features, out_features):
            return FullLinear(in_features, out_features, bias, generator, std)
        omega, gain = self.omega_for(in_features), self.gain_for(in_features, std)
        return SineLowRankLinear(in_features, out_features, self.rank, omega, gain, bias, generator)

    def num_weights(self, in_features: int, out_features: int) -> int:
        return min(self.rank * (in_features + out_features), in_features * out_features)

    def plain(self) -> dict[str, Any]:
        spread = isinstance(self.omega, PhaseSpread)
        return {"rank": self.rank, "omega": str(self.omega) if spread else self.omega}

    @classmethod
    def from_plain(cls, fields: Mapping[str, Any]) -> SineLowRank:
        omega = fields["omega"]
        omega = Frequency().parse(omega) if isinstance(omega, str) else omega
        return cls(**{**fields, "omega": omega})

    def stored(self) -> list[Stored]:
        """The rank, and omega or minus the spread of the phase."""
        omega = self.omega
        return [self.rank, -omega.radians if isinstance(omega, PhaseSpread) else float(omega)]

    @classmethod
    def from_stored(cls, fields: list[Stored]) -> SineLowRank:
        rank, omega = int(fields[0]), fields[1]
        if rank == 0:
            raise ValueError("its rank is 0")
        if omega == 0.0:  # Early files store no omega and use the rule of that time.
            return cls(rank, PhaseSpread(1.0 + 7.0 / rank))
        return cls(rank, omega if omega > 0.0 else PhaseSpread(-omega))


def automatic_spread(rank: int) -> PhaseSpread:
    """The default rule for omega: 8 radians for rank 1, falling to 3 (paper/reproduction.md).

    The sine of a rank-1 phase is nearly of rank 1 until the phase exceeds a full turn; the larger
    the rank, the sooner sin(omega U V^T) is as good as a random matrix.
    """
    return PhaseSpread(float(f"{3.0 + 5.0 / rank:.4g}"))


class SineLowRankLinear(Linear):
    """W = sin(omega U V^T) / gain, element by element."""

    units = Units({"U": 0}, {"V": 0})
    start_at_zero = "U"

    V: Float[Tensor, "in rank"]

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        omega: float,
        gain: float | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_features, out_features)
        self.omega = omega
        self.gain = gain or math.sqrt(in_features)
        # kaiming_uniform_(a=sqrt(5)) on tensors of shape (out, rank) and (rank, in).
        self.U = draws.uniform((out_features, rank), rank**-0.5, generator)
        self.start_inputs(rank, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def start_inputs(self, rank: int, generator: torch.Generator | None) -> None:
        """Sets V."""
        self.V = draws.uniform((self.in_features, rank), self.in_features**-0.5, generator)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        device = self.U.device.type
        if torch.is_autocast_enabled(device):
            # In half precision a phase of several turns would be off by hundredths of a radian.
            with torch.autocast(device, enabled=False):
                return self.dense_weight()
        return torch.sin(self.U @ (self.omega * self.V.T)) / self.gain

    def weight_under(self, function: MatrixFunction) -> Float[Tensor, "out in"]:
        return function(self.omega * (self.U.double() @ self.V.double().T)) / self.gain

    def roles(self) -> dict[str, Role]:
        """Roles with learning rates in phase: a step of U or V changes phases by the same amount.

        A step of Adam changes each entry by the learning rate. A phase is omega times the sum of
        `rank` products of an entry of U, of size 1 / sqrt(3 rank), and one of V, 1 / sqrt(3 in).
        With the same rate for both, V would change it sqrt(in / rank) times as much as U.
        """
        rate = math.sqrt(3.0) / self.omega
        wider = math.sqrt(self.in_features / self.U.shape[1])
        return {**super().roles(), "U": Role("phase", rate * wider), "V": Role("phase", rate)}

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        # dW_ij/dU_ir = slope_ij V_jr and dW_ij/dV_jr = slope_ij U_ir are summed over a row or a
        # column of W, so each column of U or V costs one product and no outer product.
        ((inputs, deltas),) = passes
        slope = torch.cos(self.U @ (self.omega * self.V.T)) * (self.omega / self.gain)
        by_u = [deltas * (inputs @ (slope * v).T.to(inputs.dtype)) for v in self.V.T]
        by_v = [inputs * (deltas @ (slope * u[:, None]).to(inputs.dtype)) for u in self.U.T]
        return {"U": torch.stack(by_u, 2).flatten(1), "V": torch.stack(by_v, 2).flatten(1)}

    def extra_repr(self) -> str:
        rank = self.U.shape[1]
        return f"{super().extra_repr()}, rank={rank}, omega={self.omega:g}, gain={self.gain:g}"
