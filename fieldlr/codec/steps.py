"""Steps: what the numbers of a tensor are rounded to. A number w is stored as round(w / step)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# A step is one byte: (8 + low three bits) * 2^(high five bits - 27).
STEPS = (8.0 + np.arange(256) % 8) * 2.0 ** (np.arange(256) // 8 - 27)


def nearest_step(step: float) -> int:
    """The byte whose step is nearest, as a ratio."""
    return int(np.abs(np.log(STEPS / step)).argmin())


def rounded(values: Float[Tensor, "*shape"], step: int) -> Int[np.ndarray, "*shape"]:
    """The whole numbers, in the shape of `values`, that a tensor is stored as at a step's byte."""
    return np.rint(values.detach().cpu().numpy().astype(np.float64) / STEPS[step]).astype(np.int64)


def restored(whole: Int[np.ndarray, "*shape"], step: int) -> Float[Tensor, "*shape"]:
    """The tensor of stored whole numbers: exact products, the same on every machine."""
    return torch.from_numpy((whole * STEPS[step]).astype(np.float32))
