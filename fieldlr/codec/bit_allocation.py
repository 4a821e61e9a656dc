"""Quantisation steps of a field's tensors: for a given error, or for a given number of bits.

A uniform quantisation error changes the field's output by s * step^2 / 12 in the mean square, where
s is the tensor's sensitivity; halving a step costs one bit per parameter in any tensor. The error
at a given size is least where every parameter contributes equally: step = c / sqrt(s), with one c
for the whole field. In sine-low-rank layers s includes omega, which multiplies the errors of U and
V inside the sine.
"""

from __future__ import annotations

import math

import numpy as np

from fieldlr.codec.parameters import num_bits
from fieldlr.codec.quantisation import nearest_step
from fieldlr.codec.sensitivity import sensitivities
from fieldlr.codec.tensors import MAX_ABS
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField

# The root mean square error allowed at the probe points unless bits are given: of a shape's
# logits, and of the opacities and colours of photos. Its effect on quality is negligible.
LOGIT_ERROR, COLOR_ERROR = 0.05, 0.002
# The c for given bits is bisected within these octaves of the c for this error.
OCTAVES, ROUNDS = 12.0, 9


def quantisation_steps(field: Field, bits: float | None = None) -> dict[str, int]:
    """The step byte of every tensor, so that the field's output hardly changes.

    With `bits`, the finest steps at which the file spends at most that many bits per non-zero
    parameter on average, tables included.
    """
    named = dict(field.named_parameters())
    scales = np.array([s**-0.5 for s in sensitivities(field).values()])
    count = max(1, sum(int((tensor != 0).sum()) for tensor in named.values()))
    error = COLOR_ERROR if isinstance(field, RadianceField) else LOGIT_ERROR
    # The difference of two ascending values is at most twice the largest, and the nearest step
    # may be slightly too small.
    least = [2.25 * float(tensor.detach().abs().max()) / MAX_ABS for tensor in named.values()]

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
