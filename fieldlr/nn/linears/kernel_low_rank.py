"""The backbone `kernel-low-rank`: W_ij = |q_i - p_j| - |q'_i - p'_j|, distances of points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fieldlr.nn.linears.linear import Passes, Units, rank_option
from fieldlr.nn.linears.structured import Shapes, Structured, StructuredLinear
from fieldlr.system import draws


class KernelLowRankLinear(StructuredLinear):
    """Every unit is two points of `rank` coordinates, and a weight the difference of distances.

    Units may change places, but not signs: distances have none.
    """

    units = Units({"Q1": 0, "Q2": 0}, {"P1": 0, "P2": 0}, signs=False)

    Q1: Float[Tensor, "out rank"]
    P1: Float[Tensor, "in rank"]
    Q2: Float[Tensor, "out rank"]
    P2: Float[Tensor, "in rank"]

    def start(self, shapes: Shapes, std: float) -> dict[str, float]:
        # The distance of two normal points of variance s^2 has the variance 2 s^2 v, and W is the
        # difference of two distances.
        size = std / math.sqrt(4.0 * distance_variance(shapes["Q1"][1]))
        return dict.fromkeys(shapes, size)

    def draw(
        self, name: str, shape: tuple[int, ...], generator: torch.Generator | None
    ) -> Float[nn.Parameter, " ..."]:
        return draws.normal(shape, self.sizes[name], generator)

    def dense_weight(self) -> Float[Tensor, "out in"]:
        return distances(self.Q1, self.P1) - distances(self.Q2, self.P2)

    def jacobian(self, passes: Passes) -> dict[str, Float[Tensor, "n _"]]:
        ((x, deltas),) = passes
        by_name = {}
        for index, sign in (("1", 1.0), ("2", -1.0)):
            q, p = self.get_parameter(f"Q{index}"), self.get_parameter(f"P{index}")
            inverse = sign * distances(q, p).clamp_min(1e-30).reciprocal()
            by_name[f"Q{index}"] = _by_points(q, p, inverse, x, deltas)
            by_name[f"P{index}"] = _by_points(p, q, inverse.T, deltas, x)
        return by_name


def _by_points(q: Tensor, p: Tensor, inverse: Tensor, x: Tensor, deltas: Tensor) -> Tensor:
    """Derivatives (N, out * rank) by q, with d|q_i - p_j| / dq_i = (q_i - p_j) / |q_i - p_j|."""
    near = x @ inverse.T.to(x.dtype)
    columns = [
        deltas * (near * own.to(x.dtype) - x @ (inverse * other).T.to(x.dtype))
        for own, other in zip(q.T, p.T, strict=True)
    ]
    return torch.stack(columns, 2).flatten(1)


def distances(q: Float[Tensor, "out rank"], p: Float[Tensor, "in rank"]) -> Float[Tensor, "out in"]:
    """Euclidean distances of all pairs, from differences and not from products, which cancel."""
    return torch.cdist(q, p, compute_mode="donot_use_mm_for_euclid_dist")


def distance_variance(rank: int) -> float:
    """The variance of the length of a standard normal vector of `rank` coordinates."""
    mean = math.sqrt(2.0) * math.exp(math.lgamma((rank + 1) / 2.0) - math.lgamma(rank / 2.0))
    return rank - mean**2


@dataclass(frozen=True)
class KernelLowRank(Structured):
    """Stores Q1, Q2 (out, rank) and P1, P2 (in, rank) (SNELL, Shen et al. 2024).

    Two heads of opposite sign, as in SNELL, without its threshold. The authors' factors 0.1 of
    the heads are part of the points here: scaling all points scales W.
    """

    name = "kernel-low-rank"
    number = 7
    summary = "W from distances between points, one pair for each unit: full rank"
    layer = KernelLowRankLinear

    rank: int = rank_option()

    def shapes(self, in_features: int, out_features: int) -> dict[str, tuple[int, ...]]:
        left, right = (out_features, self.rank), (in_features, self.rank)
        return {"Q1": left, "P1": right, "Q2": left, "P2": right}
