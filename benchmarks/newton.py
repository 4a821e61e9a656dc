"""Time of a Gauss-Newton model, against plain torch and against steps of Adam."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks import plain
from benchmarks.measure import Report, ratio, seconds, summary
from benchmarks.steps import Steps
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.training.optim.gauss_newton import CURVATURE_ROWS, QuadraticModel
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config
from fieldlr.training.tasks import OccupancyTask
from fieldlr.training.tasks.cross_entropy import cross_entropy, curvature

PLAIN_ROWS = 512  # rows of the plain baseline, which takes seconds for them


def plain_matrix(network: nn.Module, x: Tensor) -> Tensor:
    """J^T H J (P, P) of a network, averaged over rows x (N, 3), in float32."""
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def output(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(network, parameters, (row,))[0]

    own = vmap(grad(output), (None, 0))(parameters, x)
    jacobian = torch.cat([own[name].flatten(1) for name in parameters], 1)
    with torch.no_grad():
        return jacobian.T @ (curvature(network(x)[:, 0])[:, None] * jacobian) / len(x)


def newton(report: Report) -> None:
    """A quadratic model of 2,817 parameters, with 8,192 rows for the matrix."""
    task = OccupancyTask(open_source(example("rook"), grid=256).content)
    adam = Steps(task, field_config(FitOptions.of(backbone="sine-low-rank", rank=1), "mesh"))
    field, network = adam.state.field, plain.shape_network("sine-low-rank")
    points, target = task.batch(field, torch.Generator().manual_seed(0), CURVATURE_ROWS)
    x, steps = field.encoded(points), []

    def ours() -> None:
        QuadraticModel(field.mlp, x, cross_entropy(target), curvature)

    def theirs() -> None:
        plain_matrix(network, x[:PLAIN_ROWS])

    times = seconds(ours, theirs, lambda: steps.append(adam()), rounds=5)
    whole = [t * len(x) / PLAIN_ROWS for t in times[1]]
    report.add("newton_2817_numbers", "ms", *(1e3 * t for t in summary(times[0])))
    report.add("newton_2817_numbers_against_plain", "x", *ratio(whole, times[0]))
    report.add("newton_2817_numbers_in_steps_of_adam", "x", *ratio(times[0], steps[1:]))
