"""The only training loop: a generator of reports.

To cancel is to stop pulling; the state then holds everything, and the loop can go on from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.execution import ran_out, tinycudann
from fieldlr.training.optim.muon import Muon
from fieldlr.training.tasks.task import Task

REPORT_SECONDS = 0.2
NUM_QUALITIES = 10  # quick estimates of the quality in one fit
MAX_RESTARTS = 3
# Steps between two copies that are gone back to, and how often that may be.
COPY_EVERY, MAX_SETBACKS = 100, 20
SETBACK = 0.1  # what the learning rates are multiplied by each time
_RECENT = 500
# What a state keeps beside its tensors.
COUNTS = ("step", "samples", "restarts", "setbacks", "halvings", "first_step")
PLAIN = (*COUNTS, "seed", "seconds", "losses")


@dataclass(frozen=True)
class FitConfig:
    """When a fit ends, and its seed. With `steps` alone the clock does not change the result."""

    steps: int | None = None
    seconds: float | None = None  # of training: set-up and evaluation are not counted
    seed: int = 0

    def __post_init__(self):
        if self.steps is None and self.seconds is None:
            raise FieldlrError("a fit needs an end: give --seconds or --steps.")
        for name, value in (("steps", self.steps), ("seconds", self.seconds)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise FieldlrError(
                    f"--{name} must be above 0; got {value}. Give it a positive number."
                )

        if not 0 <= self.seed < 2**63:
            raise FieldlrError(f"--seed is a whole number from 0 to 2^63 - 1; got {self.seed}.")

    def progress(self, step: int, seconds: float) -> float:
        """How far a fit is, in [0, 1]: whichever of its ends is nearer."""
        by_steps = step / self.steps if self.steps is not None else 0.0
        by_clock = seconds / self.seconds if self.seconds is not None else 0.0
        return min(max(by_steps, by_clock), 1.0)

    def is_over(self, step: int, seconds: float) -> bool:
        over_steps = self.steps is not None and step >= self.steps
        return over_steps or (self.seconds is not None and seconds >= self.seconds)


@dataclass(frozen=True)
class FitReport:
    """Where a fit stands."""

    step: int
    seconds: float  # of training so far
    progress: float  # in [0, 1]
    loss: float
    quality: float | None  # a quick estimate, now and then
    samples: int  # points or ray samples that went through the network so far
    restarts: int
    setbacks: int  # steps whose loss or gradient was no number, each undone and the rate lowered

    @property
    def seconds_left(self) -> float | None:
        """An estimate, once there is something to go by."""
        if self.progress <= 0.0 or self.step < 5:
            return None
        return self.seconds * (1.0 / self.progress - 1.0)


@dataclass
class FitState:
    """Everything a fit carries from one step to the next."""

    task: Task
    config: FieldConfig
    seed: int
    device: torch.device
    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    restarts: int = 0
    setbacks: int = 0  # of the present attempt
    halvings: int = 0  # of the points of a step, because memory ran out
    first_step: int = 0  # of the present attempt
    losses: list[float] = field(default_factory=list)  # of the present attempt, the last few

    def __post_init__(self):
        if self.device.type == "cuda":
            tinycudann.reason_against()  # Looked for before the clock runs.
        self.generator = torch.Generator().manual_seed(self.seed + 1000 * self.restarts)
        self.field = self.task.make_field(self.config, self.generator).to(self.device)
        groups = self.task.parameter_groups(self.field)
        by_adam, by_muon = ([g for g in groups if g["muon"] is muon] for muon in (False, True))
        self.optimizers = [torch.optim.Adam(by_adam, betas=(0.9, 0.99), eps=1e-15, fused=True)]
        if by_muon:
            self.optimizers.append(Muon(by_muon))
        self.rates = [group["lr"] for group in self.groups]
        self.copy = self.save()[0]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all optimisers."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def restart(self) -> None:
        """Begins again with another seed; the clock and the steps run on."""
        self.restarts += 1
        self.first_step, self.losses, self.setbacks = self.step, [], 0
        self.__post_init__()

    def save(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """(tensors, plain values) from which `load` restores the state exactly."""
        tensors = {f"field.{k}": v.detach().clone() for k, v in self.field.state_dict().items()}
        for name, optimizer, parameter in self._trained():
            moments = optimizer.state.get(parameter, {})
            tensors |= {f"moments.{name}.{k}": v.clone() for k, v in moments.items()}
        tensors["generator"] = self.generator.get_state()
        return tensors, {name: getattr(self, name) for name in PLAIN}

    def load(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        """Restores what `save` gave."""
        if any(name.startswith("optimizer0.") for name in tensors):
            # By place, not by name: the places of U and V have changed since.
            raise FieldlrError(
                "this training was begun by an older fieldlr, and cannot go on. Its field can be "
                "used if it was finished; to train on, fit anew with another --out."
            )
        for name, value in plain.items():
            setattr(self, name, value)
        for _ in range(self.halvings):
            self.task.smaller()
        self._load_learned(tensors)
        self.generator.set_state(tensors["generator"])
        self.copy = tensors

    def _load_learned(self, tensors: dict[str, Tensor]) -> None:
        self.field.load_state_dict(_under(tensors, "field."))
        for name, optimizer, parameter in self._trained():
            moments = _under(tensors, f"moments.{name}.")
            optimizer.state[parameter] = {
                k: v.to(parameter.device, copy=True) for k, v in moments.items()
            }

    def _trained(self) -> Iterator[tuple[str, torch.optim.Optimizer, Tensor]]:
        """(name, its optimiser, the parameter) of everything that learns."""
        names = {id(parameter): name for name, parameter in self.field.named_parameters()}
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    yield names[id(parameter)], optimizer, parameter

    def halve(self, error: Exception) -> None:
        """Goes on with steps of half the points, where memory ran out."""
        self.halvings += 1
        if not self.task.smaller():
            raise FieldlrError(
                f"there is not enough memory to train (step {self.step}). Use a smaller --width, a "
                "larger --downscale or a coarser --grid."
            ) from error

    def set_back(self) -> None:
        """Forgets what led to a loss that is no number, and goes on more slowly."""
        self.setbacks += 1
        if self.setbacks > MAX_SETBACKS:
            raise FieldlrError(
                f"the loss is no number, again and again, at {SETBACK**MAX_SETBACKS:.0e} of the "
                f"learning rate too (step {self.step}). Try another --seed, or another "
                "--activation."
            )
        self._load_learned(self.copy)


def fit(state: FitState, config: FitConfig) -> Iterator[FitReport]:
    """Trains `state` until `config` says that it is over; yields a few reports a second."""
    last_report, next_quality = -math.inf, 0
    while not config.is_over(state.step, state.seconds):
        started = perf_counter()
        progress = config.progress(state.step, state.seconds)
        _train_step(state, progress)
        now = perf_counter()
        state.seconds += now - started
        over = config.is_over(state.step, state.seconds)
        if over or now - last_report >= REPORT_SECONDS:
            last_report = now
            progress = config.progress(state.step, state.seconds)
            quality = None
            if progress * NUM_QUALITIES >= next_quality or over:
                next_quality = int(progress * NUM_QUALITIES) + 1
                quality = state.task.quality(state.field)
            yield _report(state, progress, quality)


def _train_step(state: FitState, progress: float) -> None:
    own_step = state.step - state.first_step
    try:
        before = state.save()[0] if own_step % COPY_EVERY == 0 else state.copy
        done = state.task.newton_step(state.field, state.generator, progress, own_step)
        loss, samples = done or _adam_step(state, progress, own_step)
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        state.halve(error)
        return
    if math.isfinite(loss):
        state.copy = before
    else:
        state.set_back()
    state.losses = [*state.losses[1 - _RECENT :], loss]
    state.step += 1
    state.samples += samples
    can_restart = state.restarts < MAX_RESTARTS
    if can_restart and state.task.collapsed(state.field, state.losses):
        state.restart()


def _adam_step(state: FitState, progress: float, own_step: int) -> tuple[float, int]:
    """(loss before the step, samples); without a step where it or its gradient is no number."""
    factor = state.task.rate(state.field, progress, own_step) * SETBACK**state.setbacks
    for group, rate in zip(state.groups, state.rates, strict=True):
        group["lr"] = rate * factor
    loss, samples = state.task.loss(state.field, state.generator, progress)
    for optimizer in state.optimizers:
        optimizer.zero_grad()
    loss.backward()
    # One sum is no number where one of its terms is none; it is looked at together with the loss.
    gradients = [p.grad.sum() for p in state.field.parameters() if p.grad is not None]
    if not math.isfinite(loss.item() + torch.stack(gradients).sum().item()):
        return math.nan, samples
    for optimizer in state.optimizers:
        optimizer.step()
    return loss.item(), samples


def _report(state: FitState, progress: float, quality: float | None) -> FitReport:
    recent = [loss for loss in state.losses[-50:] if math.isfinite(loss)]
    loss = sum(recent) / len(recent) if recent else math.nan
    return FitReport(
        state.step,
        state.seconds,
        progress,
        loss,
        quality,
        state.samples,
        state.restarts,
        state.setbacks,
    )


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
