"""Quantisation steps of a field's tensors: for a given error, or for a given number of bits.

A uniform quantisation error changes the field's output by s * step^2 / 12 in the mean square, where
s is the tensor's sensitivity; halving a step costs one bit per parameter in any tensor. The error
at a given size is least where every parameter contributes equally: step = c / sqrt(s), with one c
for the whole field. In sine-low-rank layers s includes omega, which multiplies the errors of U and
V inside the sine.
"""

from __future__ import annotations

import copy
import math

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fieldlr.codec.cells import NEAR_STORED_THRESHOLD, cell_coding, zero_unused_rows
from fieldlr.codec.levels import coded_levels, stepped
from fieldlr.codec.parameters import Levels, num_bits
from fieldlr.codec.quantisation import nearest_step
from fieldlr.codec.sensitivity import output_spread, sensitivities
from fieldlr.codec.tensors import MAX_ABS
from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.fields.radiance import RadianceField

# The root mean square error allowed at the probe points unless bits are given: of a shape's
# logits, and of the opacities and colours of photos. Its effect on quality is negligible.
LOGIT_ERROR, COLOR_ERROR = 0.05, 0.002
# Errors of a feature table average out along a ray: what may be lost of the outputs' spread.
TABLE_ERROR = 0.035
# The c for given bits is bisected within these octaves of the c for this error.
OCTAVES, ROUNDS = 16.0, 10


def quantisation_steps(
    field: Field, bits: float | None = None, num_bytes: int | None = None
) -> dict[str, int]:
    """The step byte of every tensor, so that the field's output hardly changes.

    With `bits`, the finest steps at which the file spends at most that many bits per stored
    parameter on average, probability tables included. With `num_bytes`, steps at which they take
    at most that many bytes; FieldlrError if even the coarsest take more.
    """
    if isinstance(field, RadianceField) and cell_coding(field) == NEAR_STORED_THRESHOLD:
        # As the encoder does: what nothing reads is stored, but as zeros.
        field = copy.deepcopy(field)
        zero_unused_rows(field)
    named = stepped(field)
    scales = np.array([s**-0.5 for s in sensitivities(field).values()])
    levels = coded_levels(field)
    count = max(1, sum(num_coded(name, tensor, levels) for name, tensor in named.items()))
    error = COLOR_ERROR if isinstance(field, RadianceField) else LOGIT_ERROR
    if isinstance(field, RadianceField) and levels:
        error = TABLE_ERROR * output_spread(field)
    # The difference of two ascending values is at most twice the largest, and the nearest step
    # may be slightly too small.
    least = [2.25 * float(tensor.detach().abs().max()) / MAX_ABS for tensor in named.values()]

    def steps(octaves: float) -> dict[str, int]:
        factor = error * math.sqrt(12.0 / count) * 2.0**octaves
        return dict(zip(named, map(nearest_step, np.maximum(factor * scales, least)), strict=True))

    def size(octaves: float) -> float:
        return num_bits(field, steps(octaves), levels)

    if bits is not None:
        budget, low = bits * count, -OCTAVES
    elif num_bytes is None or size(0.0) <= 8.0 * num_bytes:
        return steps(0.0)
    else:
        budget, low = 8.0 * num_bytes, 0.0
    high = OCTAVES
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        fits = size(middle) <= budget
        low, high = (low, middle) if fits else (middle, high)
    if num_bytes is not None and size(high) > budget:
        raise FieldlrError(
            f"this field takes at least {math.ceil(size(OCTAVES) / 8)} bytes beside "
            f"the header; {num_bytes} are left for it. Allow more, or fit a smaller field."
        )
    return steps(high)


def num_coded(name: str, tensor: Float[Tensor, " ..."], levels: Levels) -> int:
    """The number of parameters in the file of a tensor: those that are not 0, or are read."""
    if name in levels:
        return int(levels[name].read.sum()) * tensor.shape[1]
    return int((tensor != 0).sum())
