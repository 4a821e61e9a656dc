"""Fine-tuning for the file: first numbers become cheap, then they are rounded.

What numbers cost in the file is a term of the loss (`training.rate`): they shrink, so that
finer steps fit the same bits: steps are chosen anew as they shrink. Then numbers are rounded for
good, a share at a time, while the others train on (Zhou et al. 2017, "Incremental network
quantization"). Where the second derivatives of a field are few enough, what a number loses by being
rounded, those that are still free make up for at once (Frantar and Alistarh 2022, "Optimal brain
compression").

Rounding well takes time, and after too little of it the field is worse than if it had simply been
rounded. Then that is what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.codec.choice import steps_for
from fieldlr.codec.steps import STEPS
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.training.loop import FitConfig, FitReport, fit
from fieldlr.training.optim.gauss_newton import QuadraticModel, damped
from fieldlr.training.rate import RateTerm, rate_multiplier
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import Task
from fieldlr.training.tasks.task import cosine

# By this progress numbers begin to be rounded; before, steps are chosen so many times.
ROUNDING, CHOICES = 0.6, 12
# A fit's learning rates times this at the start, of dense networks and of others; when numbers
# begin to be rounded; and at the end.
DENSE_RATE, FACTOR_RATE, ROUNDING_RATE, FINAL_RATE = 1.0, 0.1, 0.05, 0.001
NEWTON_RATE = 0.5
# Where losses are made up for, the whole batch tells which numbers can: with fewer rows than that,
# some only seem to matter to nothing. Damping is in units of a number's own curvature. Beside the
# steps of first order numbers are rounded in so many shares, because the matrix takes seconds; it
# is not made of more numbers than MOST.
CURVATURE_ROWS, DAMPING, SHARES, MOST = 1 << 15, 0.1, 16, 5000
# The share of numbers that are free at progress p is (1 - p) to this: most are rounded early.
FREEING = 1.5


class Finetuning:
    """Pull `reports` to train a copy of a field for a file of `bits` bits a number.

    `finish` then gives what `codec.encode` wants.
    """

    def __init__(self, field: Field, task: Task, config: FitConfig, bits: float | None = None):
        self.config = config
        self.task = RoundingTask(task, field, bits, config.seed)
        device = next(field.parameters()).device
        self.state = start_fit(self.task, field.config, config.seed, device)
        for optimizer in self.state.attempt.optimizers:
            optimizer.register_step_post_hook(lambda *_: self.task.rounding.hold())

    def reports(self) -> Iterator[FitReport]:
        yield from fit(self.state, self.config)

    def finish(self) -> tuple[Field, dict[str, int]]:
        """(the field as the file will hold it, a step's byte for every tensor)."""
        plain = self.task.copy()
        simply = Rounding(plain, steps_for(plain, self.task.bits), self.config.seed)
        ends = [(self.state.field.eval(), self.task.rounding), (plain, simply)]
        for _, rounding in ends:
            rounding.round(1.0)
        field, rounding = max(ends, key=lambda end: self.task.quality(end[0]))
        return field, rounding.steps


class Rounding:
    """Which of a field's numbers are rounded already; the order is drawn at random.

    `steps`, a step's byte for every tensor, may be set anew until the first number is rounded.
    """

    def __init__(self, field: Field, steps: dict[str, int], seed: int):
        self.steps, self.parameters = steps, [p for _, p in field.named_parameters()]
        generator = torch.Generator().manual_seed(seed)
        turns = [torch.rand(p.shape, generator=generator) for p in self.parameters]
        self.turns = [t.to(p.device) for t, p in zip(turns, self.parameters, strict=True)]
        self.rounded = [torch.zeros_like(p, dtype=torch.bool) for p in self.parameters]
        self.values = [torch.zeros_like(p) for p in self.parameters]

    @property
    def sizes(self) -> list[float]:
        """The step of each tensor."""
        return [float(STEPS[step]) for step in self.steps.values()]

    @property
    def free(self) -> Bool[Tensor, " p"]:
        """Booleans (P,) over all numbers."""
        return ~torch.cat([r.flatten() for r in self.rounded])

    @torch.no_grad()
    def round(self, progress: float, model: QuadraticModel | None = None) -> None:
        """Rounds those whose turn has come; by `model` the others make up for it."""
        share = 1.0 - (1.0 - progress) ** FREEING
        due = [(t <= share) & ~r for t, r in zip(self.turns, self.rounded, strict=True)]
        if model is not None:
            self._make_up(model.matrix, torch.cat([d.flatten() for d in due]))
        for parameter, size, now, rounded, value in zip(
            self.parameters, self.sizes, due, self.rounded, self.values, strict=True
        ):
            value[now] = (parameter[now] / size).round_() * size
            rounded |= now
        self.hold()

    @torch.no_grad()
    def hold(self) -> None:
        """Puts what is rounded back where it was."""
        for parameter, rounded, value in zip(
            self.parameters, self.rounded, self.values, strict=True
        ):
            parameter.copy_(torch.where(rounded, value, parameter))

    def _make_up(self, matrix: Tensor, due: Tensor) -> None:
        """Moves numbers so that rounding those that are `due` (P,) costs the least."""
        now, rest = due.nonzero()[:, 0], (self.free & ~due).nonzero()[:, 0]
        sizes = [p.numel() for p in self.parameters]
        steps = torch.cat([torch.full((n,), s) for n, s in zip(sizes, self.sizes, strict=True)])
        steps = steps.to(matrix)
        # Those that matter most go first, while many are left to make up for them.
        now = now[(matrix.diagonal() * steps**2)[now].argsort(descending=True, stable=True)]
        order = torch.cat([now, rest])
        numbers = torch.cat([p.flatten() for p in self.parameters])
        moved = rounded_in_turn(
            (numbers / steps)[order],
            matrix[order][:, order] * steps[order, None] * steps[order],
            len(now),
        )
        numbers[order] = moved * steps[order]
        for parameter, own in zip(self.parameters, numbers.split(sizes), strict=True):
            parameter.copy_(own.view_as(parameter))


def rounded_in_turn(
    values: Float[Tensor, " p"], matrix: Float[Tensor, "p p"], count: int
) -> Float[Tensor, " p"]:
    """The first `count` of values (P,) as whole numbers, one after the other.

    Each time those behind it move so that values^T matrix values / 2 grows the least (Frantar and
    Alistarh 2022, equation 3, in the fixed order of their GPTQ).
    """
    scale, factor = damped(matrix, DAMPING)
    # matrix^-1 = upper^T upper; a row of `upper` says how the others follow a number.
    upper = torch.linalg.cholesky(torch.cholesky_inverse(factor), upper=True) * scale
    values = values.clone()
    for index in range(count):
        error = values[index] - values[index].round()
        values[index:] -= error / upper[index, index] * upper[index, index:]
        values[index] = values[index].round()
    return values


class RoundingTask:
    """A task whose field is rounded more and more, until nothing is left to train."""

    corrections = None  # those of the task stay as they are

    def __init__(self, task: Task, field: Field, bits: float | None, seed: int):
        self.task, self.start, self.bits, self.seed = task, field, bits, seed
        self.quality_name, self.optimizer = task.quality_name, task.optimizer
        # What does not change while the field is rounded.
        self.parameter_groups, self.quality = task.parameter_groups, task.quality
        self.halve_batch = task.halve_batch
        # Steps by second derivatives make up for what is rounded, where there are any.
        self.second_order = None if task.second_order is None else self

    def copy(self) -> Field:
        """Of the field to begin with."""
        copy = type(self.start)(self.start.config, self.start.space, self.start.frame)
        copy.load_state_dict(self.start.state_dict())
        return copy.eval()

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> Field:
        copy = self.copy().train()
        self.rounding = Rounding(copy, {}, self.seed)
        self.next_share, self.share_began = 0.0, None
        self._choose(copy, 0.0)
        return copy

    def _proceed(
        self,
        field: Field,
        generator: torch.Generator,
        progress: float,
        model: QuadraticModel | None = None,
    ) -> None:
        """Chooses steps anew, or rounds, as is due."""
        if progress < ROUNDING:
            if progress >= self.next_choice:
                self._choose(field, progress)
            return
        done = rounding_progress(progress)
        if self.share_began is not None:
            # Where a clock makes the progress, steps between shares get as much of it as shares.
            due = max(self.share_began + 1.0 / SHARES, 2.0 * done - self.share_began)
            self.next_share, self.share_began = min(due, 1.0 - 1.0 / SHARES), None
        if done < self.next_share or not self.rounding.free.any():
            return
        ahead = 0.0
        if model is None:
            model = self.quadratic_model(field, generator, CURVATURE_ROWS)
            if model is not None:
                self.share_began, ahead = done, 1.0 / SHARES
        self.rounding.round(min(done + ahead, 1.0), model)

    def _choose(self, field: Field, progress: float) -> None:
        """Steps, and the price of the rate, by what the field is now."""
        self.next_choice = progress + ROUNDING / CHOICES
        self.rounding.steps = steps_for(field, self.bits)
        sizes = self.rounding.sizes
        multiplier = rate_multiplier(self.task, field, sizes, self.seed)
        self.rate_term = RateTerm(self.rounding.parameters, sizes, multiplier)

    def rate(self, field: Field, progress: float, step: int) -> float:
        if progress < ROUNDING:
            first = DENSE_RATE if field.config.linear.is_dense else FACTOR_RATE
            return cosine(first, ROUNDING_RATE, progress / ROUNDING)
        return cosine(ROUNDING_RATE, FINAL_RATE, rounding_progress(progress))

    def loss(
        self, field: Field, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        self._proceed(field, generator, progress)
        # What is trained already is at the end of a fit.
        loss, samples = self.task.loss(field, generator, 1.0)
        return loss + self.rate_term(), samples

    def gauss_newton_step(
        self, field: Field, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        if not self.uses_gauss_newton(field):
            return None
        model = self.quadratic_model(field, generator, CURVATURE_ROWS)
        if model is None:
            return None
        weights = self.rate_term.penalty_weights()
        model.add_penalty(torch.cat([weight.flatten() for weight in weights]))
        model.descend(NEWTON_RATE, self.rounding.free)
        self._proceed(field, generator, progress, model)
        return model.loss, len(model.x)

    def quadratic_model(
        self, field: Field, generator: torch.Generator, curvature_rows: int
    ) -> QuadraticModel | None:
        below = self.task.second_order
        if below is None or field.num_parameters > MOST:
            return None
        model = below.quadratic_model(field, generator, curvature_rows)
        return model if model is None or math.isfinite(model.loss) else None

    def uses_gauss_newton(self, field: Field) -> bool:
        below = self.task.second_order
        return below is not None and below.uses_gauss_newton(field)

    def collapsed(self, field: Field, losses: list[float]) -> bool:
        return False


def rounding_progress(progress: float) -> float:
    """How far the rounding is, in [0, 1]."""
    return (progress - ROUNDING) / (1.0 - ROUNDING)
