"""Which steps a field is rounded to: as fine as it takes, or as so many bits a number allow.

An error spread evenly over a step moves what the field says by s * step^2 / 12, squared and on
average, s being the sensitivity of the tensor; a step of half the size costs a bit a number,
whatever the tensor. The least error for so many bits is had where every number adds the same
error: step = c / sqrt(s), one c for the whole field. In sine-low-rank layers s holds omega, which
multiplies the errors of U and V inside the sine.
"""

from __future__ import annotations

import math

import numpy as np

from fieldlr.codec.numbers import num_bits
from fieldlr.codec.sensitivity import sensitivities
from fieldlr.codec.steps import nearest_step
from fieldlr.codec.tensors import MOST_REACH
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField

# What a file may move, as a root mean square where the field is watched, unless bits are given:
# the logits of a shape, and opacities and colours of photos. The quality hardly shows it.
LOGIT_ERROR, COLOR_ERROR = 0.05, 0.002
# The c for so many bits is looked for within so many octaves of the c for this error.
OCTAVES, ROUNDS = 12.0, 9


def steps_for(field: Field, bits: float | None = None) -> dict[str, int]:
    """A step's byte for every tensor, so that what the field says hardly moves.

    With `bits` the finest for which numbers take at most so many bits of the file on average, all
    that says how to read them included; numbers that are 0 are not counted.
    """
    named = dict(field.named_parameters())
    scales = np.array([s**-0.5 for s in sensitivities(field).values()])
    count = max(1, sum(int((tensor != 0).sum()) for tensor in named.values()))
    error = COLOR_ERROR if isinstance(field, RadianceField) else LOGIT_ERROR
    # A rising number is stored by its distance from another, twice as far at most, and the
    # nearest step may be a little too small.
    least = [2.25 * float(tensor.detach().abs().max()) / MOST_REACH for tensor in named.values()]

    def steps(octaves: float) -> dict[str, int]:
        factor = error * math.sqrt(12.0 / count) * 2.0**octaves
        return dict(zip(named, map(nearest_step, np.maximum(factor * scales, least)), strict=True))

    if bits is None:
        return steps(0.0)
    low, high = -OCTAVES, OCTAVES
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        fits = num_bits(field, steps(middle)) <= bits * count
        low, high = (low, middle) if fits else (middle, high)
    return steps(high)
