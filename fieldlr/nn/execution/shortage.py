"""Retrying work in smaller parts where memory runs out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from fieldlr.errors import FieldlrError

T = TypeVar("T")

# Out-of-memory messages of torch on a CPU, where it has no exception type for them. The last is
# oneDNN's when it cannot allocate a kernel (it does not retry within the process);
# "... a primitive descriptor" would be another error.
WORDS = re.compile(
    r"can't allocate memory|not enough memory|std::bad_alloc|could not create a primitive$"
)


def ran_out(error: Exception) -> bool:
    """Whether an exception means out of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and WORDS.search(str(error)) is not None


def in_parts(work: Callable[[slice], T], total: int, size: int) -> Iterator[T]:
    """Yields work(part) for consecutive parts of range(total), initially of length `size`.

    If memory runs out, the part and all later ones are halved.
    """
    start = 0
    while start < total:
        part = slice(start, min(start + size, total))
        try:
            result = work(part)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            size = (part.stop - part.start) // 2
            if size == 0:
                raise FieldlrError(
                    "not enough memory even for the smallest part of the work. Close other "
                    "programs, or use a smaller network."
                ) from error
        else:
            yield result
            start = part.stop
