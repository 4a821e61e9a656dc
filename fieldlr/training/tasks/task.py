"""The interface of a training task, learning-rate schedules and parameter groups."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.system.entries import Role
from fieldlr.training.optim import OPTIMIZERS, OptimizerChoice
from fieldlr.training.optim.gauss_newton import QuadraticModel
from fieldlr.training.tasks.corrections import PhotoCorrections

F = TypeVar("F", bound=Field)  # the field that a task fits
Stepped = TypeVar("Stepped", bound=Field, contravariant=True)

WARM_UP_STEPS = 50
# The smallest useful batch when it is halved because memory ran out.
FEWEST_POINTS = 256
# All presets and their descriptions; a task has those that make sense for its sources.
PRESETS = {
    "quick": "a first result",
    "standard": "four times as long, and a larger network for photos",
    "compact": "photos: lines of features instead of a grid, for a file of 50 KB or less",
    "paper": "the paper's networks and number of steps: hours to days without a GPU",
}


@runtime_checkable
class Learning(Protocol):
    """A module that declares the training roles of its tensors."""

    def roles(self) -> dict[str, Role]: ...


@dataclass(frozen=True)
class Preset:
    """A task's default config of the field, training settings and limits."""

    config: FieldConfig
    settings: Any
    seconds: float | None = None
    steps: int | None = None
    # Steps after which a fit is good, within about 1 dB of best, and after which more gain little
    # (docs/speed.md); and the samples of a step.
    outcomes: dict[str, int] = dataclasses.field(default_factory=dict)
    samples_per_step: int = 0


@runtime_checkable
class SecondOrder(Protocol[Stepped]):
    """Second-order steps, for tasks that support them."""

    def uses_gauss_newton(self, field: Stepped) -> bool:
        """Whether `gauss_newton_step` takes over the training of this field."""
        ...

    def gauss_newton_step(
        self, field: Stepped, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        """Takes a step and returns (loss before it, points); None if Adam should take it."""
        ...

    def quadratic_model(
        self, field: Stepped, generator: torch.Generator, curvature_rows: int
    ) -> QuadraticModel | None:
        """The loss of a batch to second order; None if unavailable."""
        ...


@runtime_checkable
class Training(Protocol[F]):
    """The part of a task that the training loop needs."""

    quality_name: str  # the key in `evaluate` that `quality` estimates
    optimizer: OptimizerChoice

    @property
    def corrections(self) -> PhotoCorrections | None:
        """Per-photo corrections trained with the field; `make_field` resets them."""
        ...

    @property
    def second_order(self) -> SecondOrder[F] | None:
        """Second-order steps; None if not supported."""
        ...

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> F:
        """An untrained field."""
        ...

    def parameter_groups(self, field: F) -> list[dict[str, Any]]:
        """Parameter groups with their `lr`, and `matrices` for those with an optimiser apart."""
        ...

    def learning_rate_factor(self, field: F, progress: float, step: int) -> float:
        """The factor on every learning rate; progress is in [0, 1]."""
        ...

    def loss(
        self, field: F, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        """(loss, number of points or ray samples that went through the network)."""
        ...

    def halve_batch(self) -> bool:
        """Halves the batch; False at the minimum."""
        ...

    def collapsed(self, field: F, losses: list[float]) -> bool:
        """Whether an attempt with these losses has collapsed to a constant and must restart."""
        ...

    def quality(self, field: F) -> float:
        """A quick estimate of the quality: higher is better."""
        ...


@runtime_checkable
class Task(Training[F], Protocol[F]):
    """A source and the objective of fitting it."""

    name: ClassVar[str]
    settings: Any

    def evaluate(self, field: F, budget: int | None = None) -> dict[str, Any]:
        """All metrics of the full evaluation, as plain values.

        With a `budget`, about so many samples of the field are taken at most; `measured_on` then
        says what was measured, where that is not all.
        """
        ...


@runtime_checkable
class TaskKind(Protocol):
    """A class of tasks, as an entry of TASKS."""

    name: str
    summary: str
    kinds: tuple[str, ...]  # of sources that it fits
    presets: dict[str, Preset]

    def __call__(
        self, content: Any, /, settings: Any = None, optimizer: OptimizerChoice = OPTIMIZERS["auto"]
    ) -> Task: ...


def cosine(first: float, last: float, progress: float) -> float:
    """Cosine schedule from `first` to `last`; progress is in [0, 1]."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warm_cosine(progress: float, step: int, final_rate: float) -> float:
    """Learning-rate schedule: a short warm-up, then a cosine from 1 to `final_rate`."""
    return cosine(1.0, final_rate, min(progress, 1.0)) * min(1.0, (step + 1) / WARM_UP_STEPS)


def tensor_roles(field: Field) -> dict[str, Role]:
    """The training role of every parameter of a field, as declared by its modules."""
    return {
        f"{prefix}.{name}": role
        for prefix, module in field.named_modules()
        if isinstance(module, Learning)
        for name, role in module.roles().items()
    }


def parameter_groups(
    field: Field, rates: dict[str, float], matrices: bool, scaled: bool = True
) -> list[dict[str, Any]]:
    """Parameter groups, each with its `lr`, and `matrices` if it is for the optimiser of matrices.

    `rates` has a learning rate for each kind of `Role`; without one for `phase`, parameters inside
    a sine use that of `factor`. Without `scaled`, the scales of roles are ignored.
    """
    groups: dict[tuple[str, float], list[Parameter]] = {}
    roles = tensor_roles(field)
    for name, parameter in field.named_parameters():
        kind, scale = roles[name]
        if kind == "phase" and "phase" not in rates:
            kind, scale = "factor", 1.0
        rate = rates[kind] * (scale if scaled else 1.0)
        groups.setdefault((kind, rate), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "matrices": matrices and kind == "matrix"}
        for (kind, rate), parameters in groups.items()
    ]
