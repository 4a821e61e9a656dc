"""Where memory runs out, the same work in smaller parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from fieldlr.errors import FieldlrError

T = TypeVar("T")

# What torch says on a processor, where it has no error of its own for it. The last is oneDNN, which
# found no room for the code of a product (and will not try again within this process);
# "... a primitive descriptor" would be another mistake.
WORDS = re.compile(
    r"can't allocate memory|not enough memory|std::bad_alloc|could not create a primitive$"
)


def ran_out(error: Exception) -> bool:
    """Whether an error says that there was not enough memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and WORDS.search(str(error)) is not None


def in_parts(work: Callable[[slice], T], total: int, size: int) -> Iterator[T]:
    """work(part) of all parts of range(total), `size` long at first, one after the other.

    A part for which memory runs out is halved, and those after it are no longer.
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
                    "there is not enough memory for the smallest part of the work. Close other "
                    "programs, or use a smaller network."
                ) from error
        else:
            yield result
            start = part.stop
