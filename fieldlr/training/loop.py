"""The training loop: a generator of reports.

Stop iterating to cancel; another loop can resume from the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import torch

from fieldlr.errors import FieldlrError
from fieldlr.nn.execution import ran_out
from fieldlr.training.state import SETBACK, FitState

REPORT_SECONDS = 0.2
NUM_QUALITIES = 10  # quick estimates of the quality in one fit
# Between the first and the last, no estimate begins while those before have taken a larger share
# of the time of training: a short one is not to wait for them.
MOST_LOOKING = 0.25
MAX_RESTARTS = 3
COPY_EVERY = 100  # steps between copies to return to when the loss is non-finite
_RECENT = 500


@dataclass(frozen=True)
class FitConfig:
    """When a fit ends, and its seed. With `steps` alone the result is reproducible."""

    steps: int | None = None
    seconds: float | None = None  # of training, without set-up and evaluation
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise FieldlrError("a fit needs a limit. Set `seconds` or `steps`.")
        for name, value in (("steps", self.steps), ("seconds", self.seconds)):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise FieldlrError(f"`{name}` is a number above 0; got {value}.")

    def progress(self, step: int, seconds: float) -> float:
        """The progress of a fit, in [0, 1], towards the nearer of its limits."""
        by_steps = step / self.steps if self.steps is not None else 0.0
        by_clock = seconds / self.seconds if self.seconds is not None else 0.0
        return min(max(by_steps, by_clock), 1.0)

    def is_over(self, step: int, seconds: float) -> bool:
        over_steps = self.steps is not None and step >= self.steps
        return over_steps or (self.seconds is not None and seconds >= self.seconds)


@dataclass(frozen=True)
class FitReport:
    """The status of a fit."""

    step: int
    seconds: float  # of training so far
    progress: float  # in [0, 1]
    loss: float
    quality: float | None  # a quick estimate, now and then
    samples: int  # points or ray samples that went through the network so far
    restarts: int
    setbacks: int  # steps undone for a non-finite loss or gradient, each lowering the learning rate

    @property
    def seconds_left(self) -> float | None:
        """An estimate, once a few steps are done."""
        if self.progress <= 0.0 or self.step < 5:
            return None
        return self.seconds * (1.0 / self.progress - 1.0)


def fit(
    state: FitState, config: FitConfig, clock: Callable[[], float] = perf_counter
) -> Iterator[FitReport]:
    """Trains `state` up to the limits of `config`; yields a few reports per second.

    `clock` measures the seconds of training, by default wall time.
    """
    last_report, next_quality, looked = -math.inf, 0, 0.0
    while not config.is_over(state.step, state.seconds):
        started = clock()
        progress = config.progress(state.step, state.seconds)
        _train_step(state, progress)
        now = clock()
        state.seconds += now - started
        over = config.is_over(state.step, state.seconds)
        if over or now - last_report >= REPORT_SECONDS:
            last_report = now
            progress = config.progress(state.step, state.seconds)
            quality = None
            is_due = progress * NUM_QUALITIES >= next_quality
            if over or (is_due and looked <= MOST_LOOKING * state.seconds):
                next_quality = int(progress * NUM_QUALITIES) + 1
                quality = state.task.quality(state.field)
                looked += clock() - now
            yield _report(state, progress, quality)


def _train_step(state: FitState, progress: float) -> None:
    own_step = state.step - state.first_step
    try:
        before = state.save()[0] if own_step % COPY_EVERY == 0 else state.copy
        loss, samples = _second_order_step(state, progress, own_step) or _first_order_step(
            state, progress, own_step
        )
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


def _second_order_step(state: FitState, progress: float, own_step: int) -> tuple[float, int] | None:
    steps = state.task.second_order
    if steps is None:
        return None
    return steps.gauss_newton_step(state.field, state.generator, progress, own_step)


def _first_order_step(state: FitState, progress: float, own_step: int) -> tuple[float, int]:
    """(loss before the step, samples); takes no step if the loss or gradient is non-finite."""
    factor = state.task.learning_rate_factor(state.field, progress, own_step)
    factor *= SETBACK**state.setbacks
    for group, rate in zip(state.attempt.groups, state.attempt.learning_rates, strict=True):
        group["lr"] = rate * factor
    loss, samples = state.task.loss(state.field, state.generator, progress)
    if not loss.requires_grad:  # No ray met anything that learns.
        return loss.item(), samples
    for optimizer in state.attempt.optimizers:
        optimizer.zero_grad()
    loss.backward()
    # A sum is non-finite if any term is; one synchronisation checks gradients and loss together.
    parameters = (parameter for _, _, parameter in state.attempt.trained())
    gradients = [p.grad.sum() for p in parameters if p.grad is not None]
    if not math.isfinite(loss.item() + torch.stack(gradients).sum().item()):
        return math.nan, samples
    for optimizer in state.attempt.optimizers:
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
