"""How many digits places need in a text."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

DIGITS, MOST_DIGITS = 7, 17  # of a mesh near the origin, and all that float64 has


def significant_digits(vertices: Float[np.ndarray, "v 3"]) -> int:
    """Enough for seven within the mesh, however far from the origin it is."""
    extent = max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    farther = math.log10(max(float(np.abs(vertices).max()) / extent, 1.0))
    return min(DIGITS + math.ceil(farther), MOST_DIGITS)


def decimals(vertices: Float[np.ndarray, "v 3"]) -> int:
    """Places after the point that are as fine."""
    extent = max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    return max(DIGITS + 1 - math.floor(math.log10(extent)), DIGITS + 1)
