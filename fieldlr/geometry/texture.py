"""A picture on a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Texture:
    """A picture, and where in it every corner of F faces lies."""

    # x to the right and y down, in [0, 1]: the upper left corner of the picture is (0, 0).
    corners: Float[np.ndarray, "f 3 2"]
    image: UInt8[np.ndarray, "h w 3"]  # sRGB
