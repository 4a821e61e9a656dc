"""Random numbers of the .flr format: whole numbers by a written rule, the same for ever.

What a layer or an encoding draws here is stored in no file, so it must not depend on a version of
torch or numpy, on a machine or on a device. docs/format.md has the same rule in words, and
web/src/seeded.js in JavaScript. A stream is a number that tells the uses apart.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int, UInt32
from torch import Tensor

SUPPORT, FACTOR, FRAME_IN, FRAME_OUT, MAP, SIGNS, FREQUENCIES = range(1, 8)

GOLDEN = 0x9E3779B9


def words(stream: int, count: int) -> UInt32[np.ndarray, " count"]:
    """Whole numbers below 2^32, all different: mix(GOLDEN i + mix(stream)) for i = 0, 1, ..."""
    start = _mix(np.array([stream], np.uint32))
    return _mix(np.arange(count, dtype=np.uint32) * np.uint32(GOLDEN) + start)


def _mix(x: np.ndarray) -> np.ndarray:
    """A bijection of 32-bit words whose output bits depend on all input bits ("lowbias32")."""
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    return x ^ x >> np.uint32(16)


def uniform(stream: int, shape: tuple[int, ...], std: float = 1.0) -> Float[Tensor, " ..."]:
    """Numbers of mean 0 and standard deviation `std`: odd multiples of std sqrt(3) / 2^16.

    The upper 16 bits h of a word give 2 h - 65535. That times the multiple, both float32, is
    rounded once, so it is the same number everywhere.
    """
    odd = 2 * (words(stream, math.prod(shape)) >> np.uint32(16)).astype(np.int64) - 65535
    values = odd.astype(np.float32) * np.float32(std * math.sqrt(3.0) / 65536.0)
    return torch.from_numpy(values.reshape(shape))


def normal(stream: int, shape: tuple[int, ...], std: float = 1.0) -> Float[Tensor, " ..."]:
    """Numbers of mean 0 and standard deviation `std`, nearly normal: sums of four uniform ones.

    The four 16-bit halves of words 2 i and 2 i + 1, minus 131070, times a multiple as in `uniform`.
    """
    pairs = words(stream, 2 * math.prod(shape)).reshape(-1, 2).astype(np.int64)
    sums = ((pairs >> 16) + (pairs & 0xFFFF)).sum(1) - 131070
    values = sums.astype(np.float32) * np.float32(std * math.sqrt(3.0) / 65536.0)
    return torch.from_numpy(values.reshape(shape))


def signs(stream: int, count: int) -> Float[Tensor, " count"]:
    """1 where the upper bit of a word is 0, else -1."""
    return torch.from_numpy(1.0 - 2.0 * (words(stream, count) >> np.uint32(31)).astype(np.float32))


def places(stream: int, total: int, count: int) -> Int[Tensor, " count"]:
    """`count` of the indices below `total`, ascending: those with the smallest words."""
    chosen = np.argsort(words(stream, total))[:count]
    return torch.from_numpy(np.sort(chosen))


def balanced_map(stream: int, total: int, count: int) -> Int[Tensor, " total"]:
    """For each index below `total` one of `count` numbers, each as often as the others.

    The index whose word is the t-th smallest gets t mod `count`.
    """
    chosen = np.empty(total, np.int64)
    chosen[np.argsort(words(stream, total))] = np.arange(total) % count
    return torch.from_numpy(chosen)
