"""Everything that a fit carries from one step to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.nn.execution import tinycudann
from fieldlr.training.tasks.task import Training

MAX_SETBACKS = 20
SETBACK = 0.1  # what the learning rates are multiplied by each time
CORRECTIONS = "corrections."  # what their tensors' names begin with
Tensors = dict[str, Shaped[Tensor, "..."]]  # by name
# What a state keeps beside them.
COUNTS = ("step", "samples", "restarts", "setbacks", "halvings", "first_step")
PLAIN = (*COUNTS, "seed", "seconds", "losses")


class Attempt:
    """A field that is being trained, and what trains it."""

    def __init__(self, task: Training, config: FieldConfig, seed: int, device: torch.device):
        self.generator = torch.Generator().manual_seed(seed)
        self.field: Field = task.make_field(config, self.generator).to(device)
        groups = task.parameter_groups(self.field)
        self.corrections = task.corrections
        if self.corrections is not None:
            groups += self.corrections.to(device).parameter_groups()
        self.optimizers = task.optimizer.build(groups)
        self.rates: list[float] = [group["lr"] for group in self.groups]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all optimisers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def trained(self) -> Iterator[tuple[str, torch.optim.Optimizer, Float[Tensor, " ..."]]]:
        """(name, its optimiser, the parameter) of everything that learns."""
        names = {id(parameter): name for name, parameter in self.field.named_parameters()}
        if self.corrections is not None:
            own = self.corrections.named_parameters()
            names |= {id(parameter): f"{CORRECTIONS}{name}" for name, parameter in own}
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    yield names[id(parameter)], optimizer, parameter


def start_fit(
    task: Training, config: FieldConfig, seed: int, device: torch.device | str = "cpu"
) -> FitState:
    """The state of a fit before its first step: the same for the same seed."""
    device = torch.device(device)
    if device.type == "cuda":
        tinycudann.reason_against()  # Looked for before the clock runs.
    state = FitState(task, config, seed, device, Attempt(task, config, seed, device))
    state.copy = state.save()[0]
    return state


@dataclass
class FitState:
    """Everything a fit carries from one step to the next; `start_fit` makes it."""

    task: Training
    config: FieldConfig
    seed: int
    device: torch.device
    attempt: Attempt
    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    restarts: int = 0
    setbacks: int = 0  # of the present attempt
    halvings: int = 0  # of the points of a step, because memory ran out
    first_step: int = 0  # of the present attempt
    # Of the present attempt: the last few losses, and a copy of when all was well.
    losses: list[float] = dataclasses.field(default_factory=list)
    copy: Tensors = dataclasses.field(default_factory=dict)

    @property
    def field(self) -> Field:
        """The field as it is now."""
        return self.attempt.field

    @property
    def generator(self) -> torch.Generator:
        """What the batches are drawn by."""
        return self.attempt.generator

    def restart(self) -> None:
        """Begins again with another seed; the clock and the steps run on."""
        self.restarts += 1
        self.first_step, self.losses, self.setbacks = self.step, [], 0
        seed = self.seed + 1000 * self.restarts
        self.attempt = Attempt(self.task, self.config, seed, self.device)
        self.copy = self.save()[0]

    def save(self) -> tuple[Tensors, dict[str, Any]]:
        """(tensors, plain values) from which `load` restores the state exactly."""
        tensors = {f"field.{k}": v.detach().clone() for k, v in self.field.state_dict().items()}
        if self.attempt.corrections is not None:
            own = self.attempt.corrections.state_dict()
            tensors |= {f"{CORRECTIONS}{k}": v.detach().clone() for k, v in own.items()}
        for name, optimizer, parameter in self.attempt.trained():
            moments = optimizer.state.get(parameter, {})
            tensors |= {f"moments.{name}.{k}": v.clone() for k, v in moments.items()}
        tensors["generator"] = self.generator.get_state()
        return tensors, {name: getattr(self, name) for name in PLAIN}

    def load(self, tensors: Tensors, plain: dict[str, Any]) -> None:
        """Restores what `save` gave."""
        for name, value in plain.items():
            setattr(self, name, value)
        for _ in range(self.halvings):
            self.task.halve_batch()
        try:
            self._load_learned(tensors)
            self.generator.set_state(tensors["generator"])
        except (KeyError, RuntimeError) as error:
            raise FieldlrError(
                f"the checkpoint does not fit the network of its run ({str(error)[:100]}). Copy "
                "the whole run folder again, or fit anew with another `out`."
            ) from None
        self.copy = tensors

    def _load_learned(self, tensors: Tensors) -> None:
        self.field.load_state_dict(_under(tensors, "field."))
        if self.attempt.corrections is not None:
            self.attempt.corrections.load_state_dict(_under(tensors, CORRECTIONS))
        for name, optimizer, parameter in self.attempt.trained():
            moments = _under(tensors, f"moments.{name}.")
            optimizer.state[parameter] = {
                k: v.to(parameter.device, copy=True) for k, v in moments.items()
            }

    def halve(self, error: Exception) -> None:
        """Goes on with steps of half the points, where memory ran out."""
        self.halvings += 1
        if not self.task.halve_batch():
            raise FieldlrError(
                f"there is not enough memory to train (step {self.step}). Use a smaller `width`, a "
                "larger `downscale` or a coarser `grid`."
            ) from error

    def set_back(self) -> None:
        """Forgets what led to a loss that is no number, and goes on more slowly."""
        self.setbacks += 1
        if self.setbacks > MAX_SETBACKS:
            raise FieldlrError(
                "the loss stayed non-finite after repeated reductions of the learning rate, down "
                f"to {SETBACK**MAX_SETBACKS:.0e} of it (step {self.step}). Try another `seed` or "
                "another `activation`."
            )
        self._load_learned(self.copy)


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
