"""CPU loops compiled by Numba, where it is installed.

Grid interpolation and ray marching take torch a dozen passes over memory, a compiled loop one.
Kernel modules are imported only if `available()`; every kernel has an equivalent in torch, used
without Numba and on a GPU.
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

# Allowed optimisations; none that assumes finite values, because a fit may diverge.
FAST = {"contract", "reassoc", "nsz", "arcp"}


@functools.cache
def available() -> bool:
    """Whether Numba is installed and compatible with this numpy."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def takes(tensor: Shaped[Tensor, " ..."]) -> bool:
    """Whether kernels support this tensor's device and dtype."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32 and available()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numpy arrays and scalars, compiled at its first call.

    The code is cached on disk and runs without the GIL.
    """
    import numba

    # In tests a wrapper that Numba cannot compile checks annotations.
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
