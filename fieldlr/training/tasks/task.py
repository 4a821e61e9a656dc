"""What the trainer asks of a task: a source together with what it means to fit it."""

from __future__ import annotations

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

F = TypeVar("F", bound=Field)  # what a task fits
Stepped = TypeVar("Stepped", bound=Field, contravariant=True)

WARM_UP_STEPS = 50
# A step on fewer points than this, because memory ran out, would learn nothing.
FEWEST_POINTS = 256
# The names that every task has a preset for, and what each means, for people.
PRESETS = {
    "quick": "a good first look",
    "standard": "four times as long, and a larger network for photos",
    "paper": "the networks and the steps of the paper: hours to days without a GPU",
}


@runtime_checkable
class Learning(Protocol):
    """A module that says how its own tensors learn."""

    def roles(self) -> dict[str, Role]: ...


@dataclass(frozen=True)
class Preset:
    """What a task does unless a user says otherwise: the field's shape, its training, its end."""

    config: FieldConfig
    settings: Any
    seconds: float | None = None
    steps: int | None = None


@runtime_checkable
class SecondOrder(Protocol[Stepped]):
    """Steps by second derivatives, of tasks that have them."""

    def uses_gauss_newton(self, field: Stepped) -> bool:
        """Whether a fit of this field ends with `gauss_newton_step`."""
        ...

    def gauss_newton_step(
        self, field: Stepped, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        """A step as (loss before it, points); None where Adam is better."""
        ...

    def quadratic_model(
        self, field: Stepped, generator: torch.Generator, curvature_rows: int
    ) -> QuadraticModel | None:
        """The loss of a batch to second order; None where it cannot be had."""
        ...


@runtime_checkable
class Training(Protocol[F]):
    """What the loop needs of a task."""

    quality_name: str  # the key of `evaluate` that `quality` estimates
    optimizer: OptimizerChoice

    @property
    def corrections(self) -> PhotoCorrections | None:
        """What the task learns of its photos beside the field, which `make_field` begins anew."""
        ...

    @property
    def second_order(self) -> SecondOrder[F] | None:
        """Steps by second derivatives; None where there are none."""
        ...

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> F:
        """A fresh field."""
        ...

    def parameter_groups(self, field: F) -> list[dict[str, Any]]:
        """Groups for the optimisers, each with its `lr`; those with `muon` are Muon's."""
        ...

    def rate(self, field: F, progress: float, step: int) -> float:
        """What every learning rate is multiplied by; progress is in [0, 1]."""
        ...

    def loss(
        self, field: F, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        """(loss, number of points or ray samples that went through the network)."""
        ...

    def halve_batch(self) -> bool:
        """Halves what a step takes; False where that would be next to nothing."""
        ...

    def collapsed(self, field: F, losses: list[float]) -> bool:
        """Whether an attempt with these losses is stuck in a constant and should start anew."""
        ...

    def quality(self, field: F) -> float:
        """A quick estimate of the quality: higher is better."""
        ...


@runtime_checkable
class Task(Training[F], Protocol[F]):
    """A source, and what it means to fit it."""

    name: ClassVar[str]
    settings: Any

    def evaluate(self, field: F) -> dict[str, Any]:
        """Every figure of the full evaluation, as plain values."""
        ...


@runtime_checkable
class TaskKind(Protocol):
    """A class of tasks, as an entry of TASKS."""

    name: str
    summary: str
    kinds: tuple[str, ...]  # of the sources that it fits
    presets: dict[str, Preset]

    def __call__(
        self, content: Any, /, settings: Any = None, optimizer: OptimizerChoice = OPTIMIZERS["auto"]
    ) -> Task: ...


def cosine(first: float, last: float, progress: float) -> float:
    """From `first` to `last` along half a cosine; progress is in [0, 1]."""
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warm_cosine(progress: float, step: int, final_rate: float) -> float:
    """A learning rate's course: a short warm-up, then half a cosine from 1 to `final_rate`."""
    return cosine(1.0, final_rate, min(progress, 1.0)) * min(1.0, (step + 1) / WARM_UP_STEPS)


def tensor_roles(field: Field) -> dict[str, Role]:
    """How every parameter of a field learns, as the modules that own them say."""
    return {
        f"{prefix}.{name}": role
        for prefix, module in field.named_modules()
        if isinstance(module, Learning)
        for name, role in module.roles().items()
    }


def parameter_groups(
    field: Field, rates: dict[str, float], muon: bool, scaled: bool = True
) -> list[dict[str, Any]]:
    """Groups of parameters, each with its `lr`, and whether it is for Muon.

    `rates` has a learning rate for each kind of `Role`. Without one for `phase`, what is inside a
    sine learns as a factor does; without `scaled`, all factors have the rate itself.
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
        {"params": parameters, "lr": rate, "muon": muon and kind == "matrix"}
        for (kind, rate), parameters in groups.items()
    ]
