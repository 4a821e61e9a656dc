"""Loops that Numba compiles for the processor, where it is installed.

Grids are read and rays are followed point by point; torch does that in a dozen passes over memory,
a compiled loop in one. Modules of kernels are imported only where `available()` says so; every
kernel has a twin in torch, which is what runs without Numba and on a GPU.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

# What may be assumed of sums and products; nothing about infinities, which a fit may meet.
FAST = {"contract", "reassoc", "nsz", "arcp"}


@functools.cache
def available() -> bool:
    """Whether Numba is installed and goes with this numpy."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def takes(tensor: Shaped[Tensor, " ..."]) -> bool:
    """Whether kernels can stand in where numbers like these go through."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32 and available()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function over numpy arrays and numbers as machine code, made at its first call.

    The code is kept on disk; other Python threads run while it does.
    """
    import numba

    # Annotations are checked while tests run, by a wrapper that Numba cannot see through.
    plain = inspect.unwrap(function)
    return numba.njit(nogil=True, fastmath=FAST, error_model="numpy", cache=True)(plain)


def in_threads(work: Callable[[Any], object], parts: Iterable[Any]) -> None:
    """work(part) for every part, on as many threads as torch uses."""
    parts = list(parts)
    threads = torch.get_num_threads()
    if threads == 1 or len(parts) < 2:
        for part in parts:
            work(part)
        return
    for _ in _threads(threads).map(work, parts):
        pass


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="kernels")
