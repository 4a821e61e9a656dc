"""What goes through the layers of a trained network, at points as training draws them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.linears import Linear
from fieldlr.nn.mlp import Mlp
from fieldlr.training.tasks import OccupancyTask

NUM_POINTS = 1 << 14
# Added to the diagonal of a covariance, relative to its mean: to factorise it, and to refit a W.
# With less of it refitted weights are up to a hundred times as large as those of the network, for
# an equal IoU, and fine-tuning fails.
RIDGE, REFIT_RIDGE = 1e-6, 1e-2

Rows = Float[Tensor, "n _"]
Matrix = Float[Tensor, "_ _"]
Vector = Float[Tensor, " _"]


class LayerSamples:
    """The inputs x (N, in) and outputs W x + b (N, out) of every layer, in float64.

    `features` (N, F) are what the network gets: encoded points.
    """

    def __init__(self, mlp: Mlp, features: Rows):
        self.mlp, self.features = copy.deepcopy(mlp).double(), features.double()
        # The stubs type a ModuleList as holding any Module.
        self.layers = cast("list[Linear]", [*self.mlp.linears])
        self.inputs: list[Rows] = []
        self.outputs: list[Rows] = []
        hidden = self.features
        for index, layer in enumerate(self.layers):
            self.inputs.append(self.with_skips(index, hidden))
            self.outputs.append(layer(self.inputs[-1]))
            hidden = self.mlp.activation(self.outputs[-1])

    @staticmethod
    def drawn(field: OccupancyField, task: OccupancyTask, seed: int) -> LayerSamples:
        """The samples of NUM_POINTS points of a training batch."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            points, _ = task.batch(field, generator, NUM_POINTS)
            return LayerSamples(field.mlp, field.encoded(points))

    def with_skips(self, index: int, hidden: Rows) -> Rows:
        """The inputs of a layer: hidden units (N, w), and the features where they skip."""
        return torch.cat([hidden, self.features], -1) if index in self.mlp.skips else hidden

    def through(self, smaller: Mlp) -> Iterator[tuple[int, Linear, Rows]]:
        """(index, layer, its inputs (N, in)) of another network that is filled meanwhile.

        The inputs are those of the layers before as they are by then, so that a layer can make up
        for their errors.
        """
        hidden = self.features
        for index, layer in enumerate(cast("list[Linear]", [*smaller.linears])):
            inputs = self.with_skips(index, hidden)
            yield index, layer, inputs
            assert layer.bias is not None
            outputs = inputs @ layer.dense_weight().double().T + layer.bias.double()
            hidden = self.mlp.activation(outputs)

    def output_gradients(self, index: int) -> Rows:
        """g (N, out): the derivatives of the logit by a layer's outputs, times sqrt(p (1 - p)).

        The mean of g g^T is the Gauss-Newton matrix of the cross entropy by the outputs, which is
        their Fisher information, without sampling labels.
        """
        with torch.enable_grad():
            outputs = hidden = self.outputs[index].detach().requires_grad_()
            for following in range(index + 1, len(self.layers)):
                inputs = self.with_skips(following, self.mlp.activation(hidden))
                hidden = self.layers[following](inputs)
            (gradient,) = torch.autograd.grad(hidden.sum(), outputs)
        p = torch.sigmoid(self.outputs[-1])
        return gradient * (p * (1.0 - p)).sqrt()


@dataclass(frozen=True)
class AffineFit:
    """The W and b with nearly the least mean |y - W x - b|^2, and the covariance of x."""

    weight: Matrix
    covariance: Matrix
    input_mean: Vector
    output_mean: Vector

    @staticmethod
    def of(start: Matrix, inputs: Rows, outputs: Rows) -> AffineFit:
        """Of x (N, in) and y (N, out); where these leave W open, it is as `start` (out, in)."""
        input_mean, output_mean = inputs.mean(0), outputs.mean(0)
        x = inputs - input_mean
        covariance = x.T @ x / len(x)
        rest = outputs - output_mean - x @ start.T
        change = torch.linalg.solve(damped(covariance, REFIT_RIDGE), x.T @ rest / len(x)).T
        return AffineFit(start + change, damped(covariance), input_mean, output_mean)

    def bias(self, weight: Matrix) -> Vector:
        """The best b for another W."""
        return self.output_mean - weight @ self.input_mean


def damped(matrix: Matrix, ridge: float = RIDGE) -> Matrix:
    """A symmetric matrix, positive definite by an addition to its diagonal."""
    diagonal = torch.full_like(matrix.diagonal(), ridge * float(matrix.diagonal().mean()) + 1e-300)
    return matrix + diagonal.diag()


def set_parameters(layer: Linear, **values: Float[Tensor, " ..."]) -> None:
    """Sets parameters of a layer by name."""
    for name, value in values.items():
        layer.get_parameter(name).copy_(value)
