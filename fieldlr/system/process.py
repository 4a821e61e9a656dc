"""What is settled once per process: denormals, threads, and memory that is kept for reuse."""

from __future__ import annotations

import ctypes
import os
import sys

import torch

# Names of options in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare_process() -> None:
    """Makes this process fit for training; calling it again changes nothing."""
    # exp(-x^2) makes denormals, which cost up to ten times a normal number's time.
    torch.set_flush_denormal(True)
    if hasattr(os, "sched_getaffinity") and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    # On a GPU, float32 products may run in tf32; a processor has no such thing.
    torch.backends.cuda.matmul.allow_tf32 = True
    _keep_freed_memory()


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
