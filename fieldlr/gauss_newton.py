"""Damped Gauss-Newton steps (Levenberg, Marquardt) for networks of a few thousand numbers.

A factorised network stores so little that the whole matrix of second derivatives fits: J^T H J,
where J holds the derivatives of the outputs by every stored number and H those of the loss by the
outputs. A step costs as much as twenty of Adam and goes further than a hundred.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fieldlr.execution import LossOfRows, fast_format, layer_passes, layers_loss
from fieldlr.fields.mlp import Mlp

# More than this, and the products of J with itself take longer than what they save.
MAX_PARAMETERS = 4000
# Rows of a batch, evenly picked, that J^T H J is averaged over; all of them make the gradient.
CURVATURE_ROWS = 8192
DAMPING = 0.05  # added to the diagonal of J^T H J scaled to ones
STEP = 0.6  # of the way to the minimum of the damped parabola
TRUST = 0.3  # the most that a step may change the outputs: rms, weighted by H
MAX_HALVINGS = 8
SMALLEST_SHARE = 1e-4  # of the mean diagonal: numbers that nothing depends on stay where they are


def gauss_newton_step(
    mlp: Mlp,
    x: Tensor,
    loss_of_rows: LossOfRows,
    curvature: Callable[[Tensor], Tensor],
    rate: float,
) -> float:
    """One step on the mean loss of rows x (N, in) of a network with one output.

    `curvature(y)` is the loss's second derivative at outputs (M,); `rate` in [0, 1] scales the
    step. Returns the loss before the step. Nothing is kept between two steps.
    """
    parameters = list(mlp.parameters())
    loss = layers_loss(mlp.layers(), x, loss_of_rows) / len(x)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    matrix = _curvature_of_numbers(mlp, x[:: -(-len(x) // CURVATURE_ROWS)], curvature)
    direction = _solve(matrix, gradient)
    change = (direction @ (matrix @ direction)).clamp_min(1e-12).sqrt().item()
    _descend(mlp, x, loss_of_rows, direction, STEP * rate * min(1.0, TRUST / change), loss.item())
    return loss.item()


@torch.no_grad()
def _descend(
    mlp: Mlp, x: Tensor, loss_of_rows: LossOfRows, direction: Tensor, step: float, before: float
) -> None:
    """Goes `step` times minus `direction`, or a part of it that does not raise the loss."""
    parameters = list(mlp.parameters())
    start = [p.clone() for p in parameters]
    parts = direction.split([p.numel() for p in parameters])
    for _ in range(MAX_HALVINGS):
        for parameter, old, part in zip(parameters, start, parts, strict=True):
            parameter.copy_(old - step * part.view_as(old))
        y = mlp(x, fast_format(x.device.type) if x.dtype == torch.float32 else None)
        if loss_of_rows(y, slice(None))[0].item() / len(x) <= before:
            return
        step *= 0.5
    for parameter, old in zip(parameters, start, strict=True):
        parameter.copy_(old)


@torch.no_grad()
def _curvature_of_numbers(mlp: Mlp, x: Tensor, curvature: Callable[[Tensor], Tensor]) -> Tensor:
    """J^T H J (P, P), a mean over rows x (N, in)."""
    matrix = 0.0
    for _, y, passes in layer_passes(mlp.layers(), x):
        jacobian = _jacobian(mlp, passes)
        jacobian *= curvature(y).sqrt().to(jacobian.dtype)[:, None]
        matrix = matrix + (jacobian.T @ jacobian).to(x.dtype)
    return matrix / len(x)


def _jacobian(mlp: Mlp, passes: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Derivatives of the outputs by every stored number: (M, P), in the order of `parameters`."""
    columns, rest = {}, iter(passes)
    for index, linear in enumerate(mlp.linears):
        own = [next(rest) for _ in linear.factors()]
        by_name = linear.jacobian(own) | {"bias": own[-1][1]}
        columns |= {f"linears.{index}.{name}": value for name, value in by_name.items()}
    return torch.cat([columns[name] for name, _ in mlp.named_parameters()], 1)


def _solve(matrix: Tensor, gradient: Tensor) -> Tensor:
    """(matrix + damping)^-1 gradient, with the damping in units of each number's own curvature."""
    diagonal = matrix.diagonal()
    scale = (diagonal + SMALLEST_SHARE * diagonal.mean()).clamp_min(1e-20).rsqrt()
    scaled = matrix * scale[:, None] * scale
    damping = DAMPING
    while True:
        scaled.diagonal().add_(damping)
        factor, failed = torch.linalg.cholesky_ex(scaled)
        if not failed:
            return scale * torch.cholesky_solve((scale * gradient)[:, None], factor)[:, 0]
        damping *= 4.0  # Products in bfloat16 are not quite positive where factors are redundant.
