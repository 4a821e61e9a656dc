"""CUDA graphs: a training pass recorded once and replayed in one launch instead of a hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from fieldlr.nn.execution.layers import with_gradients

WARM_UP = 3  # passes before the recorded one: libraries initialise in the first
TOLERANCE = 1e-2  # relative error of norms between a replay and a normal pass

# A loss, the parameters, and its gradients.
_Passed = tuple[Tensor, list[Tensor], tuple[Tensor, ...]]


class RecordedLoss:
    """loss(*inputs), differentiable in `parameters`, for a loss with a fixed sequence of launches.

    The first call on a GPU records the forward and backward pass as a CUDA graph; later calls with
    inputs of the same shapes replay it. On a CPU, where recording fails, or where a replay with
    other inputs differs from a normal pass, the loss is called directly.
    """

    def __init__(
        self, loss: Callable[..., Float[Tensor, ""]], parameters: Iterable[Float[Tensor, " ..."]]
    ) -> None:
        self.loss, self.parameters = loss, list(parameters)
        self.inputs: list[Tensor] | None = None  # of the recorded pass
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Shaped[Tensor, " ..."]) -> Float[Tensor, ""]:
        if not inputs[0].is_cuda:
            return self.loss(*inputs)
        if self.inputs is None:
            self.inputs = [t.clone() for t in inputs]
            self._record(self.inputs)
        shapes = [t.shape for t in inputs]
        if self.graph is None or shapes != [t.shape for t in self.inputs]:
            return self.loss(*inputs)
        return with_gradients(*self._replay(self.graph, self.inputs, inputs))

    def _pass(self, inputs: Iterable[Tensor]) -> _Passed:
        value = self.loss(*inputs)
        return value.detach(), self.parameters, torch.autograd.grad(value, self.parameters)

    def _record(self, inputs: list[Tensor]) -> None:
        graph = torch.cuda.CUDAGraph()
        aside, here = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(here)
        try:
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    self._pass(inputs)
            here.wait_stream(aside)
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.recorded = self._pass(inputs)
        except RuntimeError:
            return  # The pass cannot be recorded.
        self.graph = graph
        if not self._agrees(graph, inputs):
            self.graph = None

    def _replay(
        self, graph: torch.cuda.CUDAGraph, own: list[Tensor], inputs: Iterable[Tensor]
    ) -> _Passed:
        for place, given in zip(own, inputs, strict=True):
            place.copy_(given)
        graph.replay()
        return self.recorded

    def _agrees(self, graph: torch.cuda.CUDAGraph, inputs: list[Tensor]) -> bool:
        """Whether a replay reproduces the loss and gradients at new inputs."""
        others = [inputs[0].roll(1, 0), *(t.clone() for t in inputs[1:])]
        value, _, gradients = self._pass(others)
        replayed, _, found = self._replay(graph, inputs, others)
        pairs = zip([value, *gradients], [replayed, *found], strict=True)
        return all(bool((b - a).norm() <= TOLERANCE * a.norm()) for a, b in pairs)
