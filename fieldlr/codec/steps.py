"""The steps that a field's numbers are rounded to, tensor by tensor, by how much each one matters.

A number w is stored as round(w / step). An error spread evenly over a step moves what the field
says by s * step^2 / 12, squared and on average, s being the sensitivity of the tensor; a step of
half the size costs a bit a number, whatever the tensor. The least error for so many bits is had
where every number adds the same error: step = c / sqrt(s), one c for the whole field. In
sine-low-rank layers s holds omega, which multiplies the errors of U and V inside the sine.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fieldlr.codec.tensors import MOST_REACH
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import GRID_CELLS, RadianceField

# A step is one byte: (8 + low three bits) * 2^(high five bits - 27).
STEPS = (8.0 + np.arange(256) % 8) * 2.0 ** (np.arange(256) // 8 - 27)
# Points at which a field is watched, and among how many they are chosen.
WATCHED, CANDIDATES = 2048, 8192
# A tensor is disturbed by this part of its root mean square.
DISTURBANCE = 2.0**-6
# What a file may move, as a root mean square where the field is watched, unless bits are given:
# the logits of a shape, and opacities and colours of photos. The quality hardly shows it.
LOGIT_ERROR, COLOR_ERROR = 0.05, 0.002
# The common factor of the steps is looked for between 2^-OCTAVES and 2^OCTAVES.
OCTAVES, ROUNDS = 60.0, 40


def nearest_step(step: float) -> int:
    """The byte whose step is nearest, as a ratio."""
    return int(np.abs(np.log(STEPS / step)).argmin())


def rounded(values: Tensor, step: int) -> np.ndarray:
    """The whole numbers, in the shape of `values`, that a tensor is stored as at a step's byte."""
    return np.rint(values.detach().cpu().numpy().astype(np.float64) / STEPS[step]).astype(np.int64)


def restored(whole: np.ndarray, step: int) -> Tensor:
    """The tensor of stored whole numbers: exact products, the same on every machine."""
    return torch.from_numpy((whole * STEPS[step]).astype(np.float32))


@torch.no_grad()
def steps_for(field: Field, bits: float | None = None) -> dict[str, int]:
    """A step's byte for every tensor, so that a number that is not 0 takes about `bits` bits.

    Without `bits`, so that what the field says moves by LOGIT_ERROR or COLOR_ERROR.
    """
    tensors = [parameter.double() for parameter in field.parameters()]
    counts = np.array([int((tensor != 0).sum()) for tensor in tensors])
    squares = np.array([float(tensor.square().sum()) for tensor in tensors]) / np.maximum(counts, 1)
    scales = np.array([s**-0.5 for s in sensitivities(field).values()])
    if bits is None:
        error = COLOR_ERROR if isinstance(field, RadianceField) else LOGIT_ERROR
        factor = error * math.sqrt(12.0 / max(counts.sum(), 1))
    else:
        factor = _factor_for(bits, counts, squares / scales**2)
    # A rising number is stored by its distance from another, twice as far at most, and the
    # nearest step may be a little too small.
    least = [2.25 * float(tensor.abs().max()) / MOST_REACH for tensor in tensors]
    names = [name for name, _ in field.named_parameters()]
    return dict(zip(names, map(nearest_step, np.maximum(factor * scales, least)), strict=True))


def _factor_for(bits: float, counts: np.ndarray, spreads: np.ndarray) -> float:
    """The c of steps c / sqrt(s) at which numbers take `bits` on average.

    Numbers spread evenly, whose squares are r^2 on average, take log2(1 + 12 r^2 / step^2) / 2
    bits each, others a little less or more; `spreads` are r^2 s, of `counts` numbers each.
    """
    low, high = -OCTAVES, OCTAVES
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        taken = counts @ np.log2(1.0 + 12.0 * spreads / 4.0**middle) / 2.0
        low, high = (middle, high) if taken > bits * counts.sum() else (low, middle)
    return 2.0**high


@torch.no_grad()
def sensitivities(field: Field) -> dict[str, float]:
    """How much what the field says moves, squared, for each number of a tensor and its square.

    Measured: every number of a tensor is moved by the same small distance, up or down at random.
    """
    generator = torch.Generator().manual_seed(0)
    watch = _watch(field, generator)
    before, found = watch(), {}
    for name, parameter in field.named_parameters():
        kept = parameter.clone()
        distance = DISTURBANCE * max(float(kept.square().mean().sqrt()), 1e-6)
        signs = torch.randint(2, kept.shape, generator=generator) * 2 - 1
        parameter.add_(distance * signs.to(kept) * (kept != 0))
        moved = float((watch() - before).square().mean())
        parameter.copy_(kept)
        found[name] = max(moved / (distance**2 * max(int((kept != 0).sum()), 1)), 1e-12)
    return found


def _watch(field: Field, generator: torch.Generator) -> Callable[[], Tensor]:
    """What a field says where it matters, as a function of its numbers alone."""
    if isinstance(field, RadianceField):
        return _watch_radiance(field, generator)
    points = field.aabb.from_unit(torch.rand(CANDIDATES, 3, generator=generator) * 2.0 - 1.0)
    # Where the field is undecided, a small change turns inside into outside.
    inside = torch.sigmoid(field.level(points))
    weights = (inside * (1.0 - inside)).nan_to_num().clamp_min(1e-6)
    points = points[torch.multinomial(weights, WATCHED, generator=generator)]
    return lambda: field.level(points)


def _watch_radiance(field: RadianceField, generator: torch.Generator) -> Callable[[], Tensor]:
    """The opacities of cells that rendering visits, and their colours by opacity."""
    visited = field.cell_occupied if field.cell_occupied.any() else ~field.cell_occupied
    cells = visited.nonzero().flip(-1)
    cells = cells[torch.randint(len(cells), (WATCHED,), generator=generator)]
    unit = (cells + torch.rand(WATCHED, 3, generator=generator)) * (2.0 / GRID_CELLS) - 1.0
    directions = torch.nn.functional.normalize(torch.randn(WATCHED, 3, generator=generator), dim=-1)

    def watch() -> Tensor:
        said = []
        for network in field.networks:
            rgb, density = network(unit, directions)
            opacity = 1.0 - torch.exp(-density * (2.0 / GRID_CELLS))
            said.append(torch.cat([opacity[:, None], opacity[:, None] * rgb], -1))
        return torch.cat(said, -1)

    return watch
