"""The state of a fit between two steps."""

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
from fieldlr.training.optim.optimizer import Optimizer
from fieldlr.training.tasks.task import Training

MAX_SETBACKS = 20
SETBACK = 0.1  # the factor on the learning rates after each setback
CORRECTIONS = "corrections."  # prefix of their tensors' names
Tensors = dict[str, Shaped[Tensor, "..."]]  # by name
# The other values of a saved state.
COUNTS = ("step", "samples", "restarts", "setbacks", "halvings", "first_step")
PLAIN = (*COUNTS, "seed", "seconds", "losses")


class Attempt:
    """A field in training with its generator and optimisers."""

    def __init__(self, task: Training, config: FieldConfig, seed: int, device: torch.device):
        self.generator = torch.Generator().manual_seed(seed)
        self.field: Field = task.make_field(config, self.generator).to(device)
        groups = task.parameter_groups(self.field)
        self.corrections = task.corrections
        if self.corrections is not None:
            groups += self.corrections.to(device).parameter_groups()
        self.optimizers = task.optimizer.build(groups)
        self.learning_rates: list[float] = [group["lr"] for group in self.groups]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all optimisers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def trained(self) -> Iterator[tuple[str, Optimizer, Float[Tensor, " ..."]]]:
        """(name, optimiser, parameter) of all trained parameters."""
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
    """The state of a fit before its first step, determined by the seed."""
    device = torch.device(device)
    if device.type == "cuda":
        tinycudann.reason_against()  # Probed before training time is measured.
    state = FitState(task, config, seed, device, Attempt(task, config, seed, device))
    state.copy = state.save()[0]
    return state


@dataclass
class FitState:
    """The state of a fit between two steps, created by `start_fit`."""

    task: Training
    config: FieldConfig
    seed: int
    device: torch.device
    attempt: Attempt
    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    restarts: int = 0
    setbacks: int = 0  # of the current attempt
    halvings: int = 0  # of the batch, because memory ran out
    first_step: int = 0  # of the current attempt
    # Of the current attempt: the latest losses, and a copy from when the loss was finite.
    losses: list[float] = dataclasses.field(default_factory=list)
    copy: Tensors = dataclasses.field(default_factory=dict)

    @property
    def field(self) -> Field:
        """The field in training."""
        return self.attempt.field

    @property
    def generator(self) -> torch.Generator:
        """The random generator of batches."""
        return self.attempt.generator

    def restart(self) -> None:
        """Starts a new attempt with another seed; time and steps count on."""
        self.restarts += 1
        self.first_step, self.losses, self.setbacks = self.step, [], 0
        seed = self.seed + 1000 * self.restarts
        self.attempt = Attempt(self.task, self.config, seed, self.device)
        self.copy = self.save()[0]

    def save(self) -> tuple[Tensors, dict[str, Any]]:
        """(tensors, plain values) from which `load` restores the exact state."""
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
        """Restores a state returned by `save`."""
        for name, value in plain.items():
            setattr(self, name, value)
        for _ in range(self.halvings):
            self.task.halve_batch()
        try:
            self._load_learned(tensors)
            self.generator.set_state(tensors["generator"])
        except (KeyError, RuntimeError) as error:
            raise FieldlrError(
                f"the checkpoint does not match the network of its run ({str(error)[:100]}). Copy "
                "the whole run folder again, or train again with another `out`."
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
        """Halves the batch after memory ran out."""
        self.halvings += 1
        if not self.task.halve_batch():
            raise FieldlrError(
                f"not enough memory to train (step {self.step}). Use a smaller `width`, a "
                "larger `downscale` or a coarser `grid`."
            ) from error

    def set_back(self) -> None:
        """After a non-finite loss, restores the last good copy and lowers the learning rates."""
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
