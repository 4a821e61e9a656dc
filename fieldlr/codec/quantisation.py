"""Uniform quantisation: a parameter w is stored as round(w / step)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# A step is one byte: (8 + low three bits) * 2^(high five bits - 27).
STEPS = (8.0 + np.arange(256) % 8) * 2.0 ** (np.arange(256) // 8 - 27)


def nearest_step(step: float) -> int:
    """The byte whose step is nearest in ratio."""
    return int(np.abs(np.log(STEPS / step)).argmin())


def quantise(values: Float[Tensor, "*shape"], step: int) -> Int[np.ndarray, "*shape"]:
    """The integers, in the shape of `values`, that store a tensor with a step byte."""
    return np.rint(values.detach().cpu().numpy().astype(np.float64) / STEPS[step]).astype(np.int64)


def dequantise(integers: Int[np.ndarray, "*shape"], step: int) -> Float[Tensor, "*shape"]:
    """The tensor of stored integers: the products are exact, so the same on every machine."""
    return torch.from_numpy((integers * STEPS[step]).astype(np.float32))
