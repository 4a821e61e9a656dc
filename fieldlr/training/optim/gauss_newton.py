"""Damped Gauss-Newton steps (Levenberg, Marquardt) for networks of a few thousand parameters.

A factorised network is so small that its full curvature matrix fits in memory: J^T H J, with J the
derivatives of the outputs by every parameter and H the second derivatives of the loss by the
outputs. A step costs as much as twenty of Adam and achieves more than a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.nn.execution import LossOfRows, fast_format, layer_passes, layers_loss
from fieldlr.nn.mlp import Mlp

# Evenly spaced rows of the batch that J^T H J is averaged over; more do not improve a step. The
# gradient uses all rows.
CURVATURE_ROWS = 8192
BLOCK = 512  # columns of J that are multiplied at a time
DAMPING = 0.05  # added to the diagonal of J^T H J scaled to ones
STEP = 0.6  # fraction of the way to the minimum of the damped model
TRUST = 0.3  # the largest change of the outputs in a step: RMS, weighted by H
MAX_HALVINGS = 8
MIN_DIAGONAL = 1e-4  # of its mean: parameters without effect do not move

# Maps outputs (M,) to the second derivatives (M,) of their loss.
Curvature = Callable[[Float[Tensor, " m"]], Float[Tensor, " m"]]


class QuadraticModel:
    """The mean loss of rows x (N, in) to second order, for a network with one output.

    The model is around the current parameters (P,), those of `mlp.parameters()` concatenated.
    `curvature(y)` is the loss's second derivative at outputs (M,).
    """

    def __init__(
        self,
        mlp: Mlp,
        x: Float[Tensor, "n inputs"],
        loss_of_rows: LossOfRows,
        curvature: Curvature,
        curvature_rows: int = CURVATURE_ROWS,
    ):
        self.mlp, self.x, self.loss_of_rows = mlp, x, loss_of_rows
        self.parameters = list(mlp.parameters())
        loss = layers_loss(mlp.layers(), x, loss_of_rows) / len(x)
        self.loss = loss.item()
        gradients = torch.autograd.grad(loss, self.parameters)
        self.gradient = torch.cat([g.flatten() for g in gradients])
        picked = x[:: -(-len(x) // curvature_rows)]
        self.matrix = _curvature_matrix(mlp, picked, curvature)
        if not bool((self.gradient.sum() + self.matrix.sum()).isfinite()):
            self.loss = math.nan  # The model is unusable.
        self.penalty: Tensor | None = None

    def add_penalty(self, weights: Float[Tensor, " p"]) -> None:
        """Adds the sum over all parameters x of weight x^2 / 2, weights (P,), to the loss."""
        self.penalty = weights
        self.gradient = self.gradient + weights * self._parameters()
        self.matrix.diagonal().add_(weights)

    def _parameters(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.parameters])

    def _penalty_now(self) -> float:
        """The current value of the term added by `add_penalty`."""
        if self.penalty is None:
            return 0.0
        return 0.5 * (self.penalty @ self._parameters().square()).item()

    def descend(self, factor: float, free: Bool[Tensor, " p"] | None = None) -> None:
        """Takes a damped step, scaled by `factor` in [0, 1], in all or the `free` (P,) parameters.

        Takes none if the loss or one of its derivatives is non-finite.
        """
        if not math.isfinite(self.loss):
            return
        chosen = torch.arange(len(self.gradient)) if free is None else free.nonzero()[:, 0]
        all_of_them = len(chosen) == len(self.gradient)
        matrix = self.matrix if all_of_them else self.matrix[chosen][:, chosen]
        part = solve(matrix, self.gradient[chosen])
        change = (part @ (matrix @ part)).clamp_min(1e-12).sqrt().item()
        direction = torch.zeros_like(self.gradient).index_copy_(0, chosen.to(part.device), part)
        self._line_search(direction, STEP * factor * min(1.0, TRUST / change))

    @torch.no_grad()
    def _line_search(self, direction: Tensor, step: float) -> None:
        """Steps by -`step` * `direction`, halved until the loss does not increase."""
        start, highest = [p.clone() for p in self.parameters], self.loss + self._penalty_now()
        parts = direction.split([p.numel() for p in self.parameters])
        dtype = fast_format(self.x.device.type) if self.x.dtype == torch.float32 else None
        for _ in range(MAX_HALVINGS):
            for parameter, old, part in zip(self.parameters, start, parts, strict=True):
                parameter.copy_(old - step * part.view_as(old))
            loss = self.loss_of_rows(self.mlp(self.x, dtype), slice(None))[0].item()
            if loss / len(self.x) + self._penalty_now() <= highest:
                return
            step *= 0.5
        for parameter, old in zip(self.parameters, start, strict=True):
            parameter.copy_(old)


@torch.no_grad()
def _curvature_matrix(mlp: Mlp, x: Tensor, curvature: Curvature) -> Tensor:
    """J^T H J (P, P), averaged over rows x (N, in)."""
    count = sum(p.numel() for p in mlp.parameters())
    matrix = torch.zeros(count, count, dtype=x.dtype, device=x.device)
    # Only blocks on or below the diagonal are computed, which halves the work.
    blocks = [slice(a, min(a + BLOCK, count)) for a in range(0, count, BLOCK)]
    for _, y, passes in layer_passes(mlp.layers(), x):
        jacobian = _jacobian(mlp, passes)
        jacobian *= curvature(y).sqrt().to(jacobian.dtype)[:, None]
        for block in blocks:
            matrix[block, : block.stop] += jacobian[:, block].T @ jacobian[:, : block.stop]
    for block in blocks:
        matrix[: block.start, block] = matrix[block, : block.start].T
    return matrix.div_(len(x))


def _jacobian(mlp: Mlp, passes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Derivatives of the outputs by all parameters: (M, P), in the order of `parameters`."""
    columns, rest = {}, iter(passes)
    # The stubs type a ModuleList as holding any Module.
    for index, linear in enumerate(cast("Iterable[Any]", mlp.linears)):
        own = [next(rest) for _ in linear.factors()]
        by_name = linear.jacobian(own) | {"bias": own[-1][1]}
        columns |= {f"linears.{index}.{name}": value for name, value in by_name.items()}
    return torch.cat([columns[name] for name, _ in mlp.named_parameters()], 1)


def damped(
    matrix: Float[Tensor, "p p"], damping: float
) -> tuple[Float[Tensor, " p"], Float[Tensor, "p p"]]:
    """(scale (P,), L) with L L^T = S matrix S + damping, where S = diag(scale) normalises.

    The diagonal of S matrix S is 1. The damping is raised until the matrix is positive definite;
    raises FieldlrError if it never is.
    """
    diagonal = matrix.diagonal()
    scale = (diagonal + MIN_DIAGONAL * diagonal.mean()).clamp_min(1e-20).rsqrt()
    scaled = matrix * scale[:, None] * scale
    while math.isfinite(damping):
        scaled.diagonal().add_(damping)
        factor, failed = torch.linalg.cholesky_ex(scaled)
        if not failed:
            return scale, factor
        damping *= 4.0  # bfloat16 products may be indefinite where factors are redundant.
    raise FieldlrError("the curvature matrix contains NaN or Inf. Retrain the field.")


def solve(matrix: Float[Tensor, "p p"], gradient: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    """(matrix + damping)^-1 gradient, with damping relative to each parameter's own curvature."""
    scale, factor = damped(matrix, DAMPING)
    return scale * torch.cholesky_solve((scale * gradient)[:, None], factor)[:, 0]
