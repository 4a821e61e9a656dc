"""What fits want of a process: denormals, threads, and memory that is kept for reuse.

A process of our own, such as the command line's, has it for good (`prepare_process`); a caller's
process has it while something is computed (`prepared`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Names of options in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare_process() -> None:
    """Makes a process of our own fit for training; calling it again changes nothing."""
    _set_up()
    _keep_freed_memory()


@contextmanager
def prepared() -> Iterator[None]:
    """Settings of torch that fits want, while the block runs; then what the caller had."""
    denormals, threads = _flushes_denormals(), torch.get_num_threads()
    tf32 = torch.backends.cuda.matmul.allow_tf32
    _set_up()
    try:
        yield
    finally:
        torch.set_flush_denormal(denormals)
        torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = tf32


def _set_up() -> None:
    # exp(-x^2) makes denormals, which cost up to ten times a normal number's time.
    torch.set_flush_denormal(True)
    if hasattr(os, "sched_getaffinity") and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    # On a GPU, float32 products may run in tf32; a CPU has no such thing.
    torch.backends.cuda.matmul.allow_tf32 = True


def _flushes_denormals() -> bool:
    """Whether this thread does: torch does not tell."""
    return float(torch.tensor([1e-40]) * 1.0) == 0.0


def _keep_freed_memory() -> None:
    """Tells glibc to reuse freed megabytes: given back, every page of them faults in anew."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # Another C library, with rules of its own.
    mallopt(_M_MMAP_THRESHOLD, 256 << 20)  # What is larger still goes back when freed.
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
