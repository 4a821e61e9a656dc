"""Quantisation-aware fine-tuning: rate-regularised training, then progressive quantisation.

In the first phase the coded size is a term of the loss (`training.rate_term`); parameters shrink,
and quantisation steps are re-chosen, finer at the same bits. In the second phase parameters are
quantised for good, a group at a time, while the others train on (Zhou et al. 2017, "Incremental
network quantization"). Where the curvature matrix of a field is small enough, the free parameters
compensate the error of each quantised one at once (Frantar and Alistarh 2022, "Optimal brain
compression").

After too little training the result can be worse than plain quantisation of the original field; in
that case the latter is returned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.codec.bit_allocation import quantisation_steps
from fieldlr.codec.cells import zero_unused_rows
from fieldlr.codec.levels import stepped, table_encodings
from fieldlr.codec.quantisation import STEPS
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField
from fieldlr.training.loop import FitConfig, FitReport, fit
from fieldlr.training.optim.gauss_newton import QuadraticModel, damped
from fieldlr.training.rate_term import RateTerm, rate_multiplier
from fieldlr.training.state import start_fit
from fieldlr.training.tasks import Task
from fieldlr.training.tasks.task import cosine

# The progress at which quantisation begins, and how often steps are re-chosen before it.
QUANTISATION_START, STEP_CHOICES = 0.6, 12
# Factors on a fit's learning rates: at the start, for dense networks, for fields with feature
# tables and for factorised networks; when quantisation begins; and at the end.
DENSE_FACTOR, TABLE_FACTOR, FACTORISED_FACTOR = 1.0, 0.3, 0.1
QUANTISATION_FACTOR, FINAL_FACTOR = 0.05, 0.001
NEWTON_STEP = 0.5
# Error compensation needs the curvature of the whole batch: with fewer rows some parameters seem to
# have no effect. Damping is relative to a parameter's own curvature. With first-order training,
# quantisation takes place in NUM_GROUPS groups, because the matrix takes seconds to compute; it is
# not computed for more than MOST_PARAMETERS.
CURVATURE_ROWS, DAMPING, NUM_GROUPS, MOST_PARAMETERS = 1 << 15, 0.1, 16, 5000
# The fraction of parameters still free at progress p is (1 - p) to this: most are quantised early.
FREE_EXPONENT = 1.5


class Finetuning:
    """Trains a copy of a field for parameters of `bits` bits each, or of `num_bytes` in all.

    Iterate over `reports` to train; `finish` then returns the arguments of `codec.encode`.
    """

    def __init__(
        self,
        field: Field,
        task: Task,
        config: FitConfig,
        bits: float | None = None,
        num_bytes: int | None = None,
    ):
        self.config = config
        self.task = QuantisationTask(task, field, bits, num_bytes, config.seed)
        device = next(field.parameters()).device
        self.state = start_fit(self.task, field.config, config.seed, device)
        last = self.state.attempt.optimizers[-1]
        last.after_step = lambda: self.task.quantiser.restore()

    def reports(self) -> Iterator[FitReport]:
        yield from fit(self.state, self.config)

    def finish(self) -> tuple[Field, dict[str, int]]:
        """(the field as the file will store it, the step byte of every tensor)."""
        plain = self.task.copy()
        plain_quantiser = ProgressiveQuantiser(plain, self.task.steps(plain), self.config.seed)
        ends = [(self.state.field.eval(), self.task.quantiser), (plain, plain_quantiser)]
        for _, quantiser in ends:
            quantiser.round(1.0)
        field, quantiser = max(ends, key=lambda end: self.task.quality(end[0]))
        return field, quantiser.steps


class ProgressiveQuantiser:
    """Quantises a field's parameters bit by bit, in random order.

    `steps`, a step byte per tensor, may be changed until the first parameter is quantised.
    """

    def __init__(self, field: Field, steps: dict[str, int], seed: int):
        self.steps, self.field = steps, field
        generator = torch.Generator().manual_seed(seed)
        tensors = self.tensors
        order_keys = [torch.rand(p.shape, generator=generator) for p in tensors]
        self.order_keys = [t.to(p.device) for t, p in zip(order_keys, tensors, strict=True)]
        self.quantised = [torch.zeros_like(p, dtype=torch.bool) for p in tensors]
        self.values = [torch.zeros_like(p) for p in tensors]

    @property
    def tensors(self) -> list[Float[Tensor, " ..."]]:
        """The tensors that are quantised, a table level by level."""
        return list(stepped(self.field).values())

    @property
    def sizes(self) -> list[float]:
        """The quantisation step of each tensor."""
        return [float(STEPS[step]) for step in self.steps.values()]

    @property
    def free(self) -> Bool[Tensor, " p"]:
        """Booleans (P,): the parameters not yet quantised."""
        return ~torch.cat([r.flatten() for r in self.quantised])

    @torch.no_grad()
    def round(self, progress: float, model: QuadraticModel | None = None) -> None:
        """Quantises those that are due; with `model` the others compensate the errors."""
        share = 1.0 - (1.0 - progress) ** FREE_EXPONENT
        due = [(t <= share) & ~r for t, r in zip(self.order_keys, self.quantised, strict=True)]
        if model is not None:
            self._compensate(model.matrix, torch.cat([d.flatten() for d in due]))
        for parameter, size, now, quantised, value in zip(
            self.tensors, self.sizes, due, self.quantised, self.values, strict=True
        ):
            value[now] = (parameter[now] / size).round_() * size
            quantised |= now
        self.restore()

    @torch.no_grad()
    def restore(self) -> None:
        """Resets quantised parameters to their quantised values."""
        for parameter, quantised, value in zip(
            self.tensors, self.quantised, self.values, strict=True
        ):
            parameter.copy_(torch.where(quantised, value, parameter))

    def _compensate(self, matrix: Tensor, due: Tensor) -> None:
        """Changes parameters such that quantising those that are `due` (P,) costs the least."""
        now, rest = due.nonzero()[:, 0], (self.free & ~due).nonzero()[:, 0]
        sizes = [p.numel() for p in self.tensors]
        steps = torch.cat([torch.full((n,), s) for n, s in zip(sizes, self.sizes, strict=True)])
        steps = steps.to(matrix)
        # The most sensitive go first, while many are left to compensate their errors.
        now = now[(matrix.diagonal() * steps**2)[now].argsort(descending=True, stable=True)]
        order = torch.cat([now, rest])
        numbers = torch.cat([p.flatten() for p in self.tensors])
        moved = quantise_in_order(
            (numbers / steps)[order],
            matrix[order][:, order] * steps[order, None] * steps[order],
            len(now),
        )
        numbers[order] = moved * steps[order]
        for parameter, own in zip(self.tensors, numbers.split(sizes), strict=True):
            parameter.copy_(own.view_as(parameter))


def quantise_in_order(
    values: Float[Tensor, " p"], matrix: Float[Tensor, "p p"], count: int
) -> Float[Tensor, " p"]:
    """Values (P,) of which the first `count` have been rounded to integers one by one.

    Each time the later ones change such that values^T matrix values / 2 grows the least (Frantar
    and Alistarh 2022, equation 3, in fixed order as in their GPTQ).
    """
    scale, factor = damped(matrix, DAMPING)
    # matrix^-1 = upper^T upper; a row of `upper` is the change of the later values.
    upper = torch.linalg.cholesky(torch.cholesky_inverse(factor), upper=True) * scale
    values = values.clone()
    for index in range(count):
        error = values[index] - values[index].round()
        values[index:] -= error / upper[index, index] * upper[index, index:]
        values[index] = values[index].round()
    return values


class QuantisationTask:
    """A task whose field is progressively quantised until nothing is left to train."""

    corrections = None  # those of the task are fixed

    def __init__(
        self, task: Task, field: Field, bits: float | None, num_bytes: int | None, seed: int
    ):
        self.task, self.start, self.seed = task, field, seed
        self.bits, self.num_bytes = bits, num_bytes
        self.quality_name, self.optimizer = task.quality_name, task.optimizer
        # Unchanged by quantisation.
        self.parameter_groups, self.quality = task.parameter_groups, task.quality
        self.halve_batch = task.halve_batch
        # The curvature matrix, where there is one, serves to compensate quantisation errors.
        self.second_order = None if task.second_order is None else self

    def steps(self, field: Field) -> dict[str, int]:
        """The quantisation steps of the field for a file of the wanted size."""
        return quantisation_steps(field, self.bits, self.num_bytes)

    def copy(self) -> Field:
        """A copy of the original field, without the table rows that no file keeps."""
        copy = type(self.start)(self.start.config, self.start.space, self.start.frame)
        copy.load_state_dict(self.start.state_dict())
        if isinstance(copy, RadianceField) and copy.cell_occupied.any():
            zero_unused_rows(copy)
        return copy.eval()

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> Field:
        copy = self.copy().train()
        self.quantiser = ProgressiveQuantiser(copy, {}, self.seed)
        self.next_group, self.group_began = 0.0, None
        self._choose_steps(copy, 0.0)
        return copy

    def _proceed(
        self,
        field: Field,
        generator: torch.Generator,
        progress: float,
        model: QuadraticModel | None = None,
    ) -> None:
        """Re-chooses quantisation steps, or quantises, when due."""
        if progress < QUANTISATION_START:
            if progress >= self.next_choice:
                self._choose_steps(field, progress)
            return
        done = quantisation_progress(progress)
        if self.group_began is not None:
            # With a time limit, training between groups gets as much time as the groups.
            due = max(self.group_began + 1.0 / NUM_GROUPS, 2.0 * done - self.group_began)
            self.next_group, self.group_began = min(due, 1.0 - 1.0 / NUM_GROUPS), None
        if done < self.next_group or not self.quantiser.free.any():
            return
        ahead = 0.0
        if model is None:
            model = self.quadratic_model(field, generator, CURVATURE_ROWS)
            if model is not None:
                self.group_began, ahead = done, 1.0 / NUM_GROUPS
        self.quantiser.round(min(done + ahead, 1.0), model)

    def _choose_steps(self, field: Field, progress: float) -> None:
        """Sets quantisation steps and the rate multiplier for the current field."""
        self.next_choice = progress + QUANTISATION_START / STEP_CHOICES
        self.quantiser.steps = self.steps(field)
        sizes = self.quantiser.sizes
        multiplier = rate_multiplier(self.task, field, sizes, self.seed)
        self.rate_term = RateTerm(field, sizes, multiplier)

    def learning_rate_factor(self, field: Field, progress: float, step: int) -> float:
        if progress < QUANTISATION_START:
            first = DENSE_FACTOR if field.config.linear.is_dense else FACTORISED_FACTOR
            if table_encodings(field):
                first = TABLE_FACTOR
            return cosine(first, QUANTISATION_FACTOR, progress / QUANTISATION_START)
        return cosine(QUANTISATION_FACTOR, FINAL_FACTOR, quantisation_progress(progress))

    def loss(
        self, field: Field, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        self._proceed(field, generator, progress)
        # The field is trained already: the task's schedules are at their end.
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
        model.descend(NEWTON_STEP, self.quantiser.free)
        self._proceed(field, generator, progress, model)
        return model.loss, len(model.x)

    def quadratic_model(
        self, field: Field, generator: torch.Generator, curvature_rows: int
    ) -> QuadraticModel | None:
        below = self.task.second_order
        if below is None or field.num_parameters > MOST_PARAMETERS:
            return None
        model = below.quadratic_model(field, generator, curvature_rows)
        return model if model is None or math.isfinite(model.loss) else None

    def uses_gauss_newton(self, field: Field) -> bool:
        below = self.task.second_order
        return below is not None and below.uses_gauss_newton(field)

    def collapsed(self, field: Field, losses: list[float]) -> bool:
        return False


def quantisation_progress(progress: float) -> float:
    """The progress of the quantisation phase, in [0, 1]."""
    return (progress - QUANTISATION_START) / (1.0 - QUANTISATION_START)
