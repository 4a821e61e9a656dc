"""Lines for the terminal: a reader that ends early (`| head -1`) stops nothing and is no error."""

from __future__ import annotations

import os
import sys
from typing import Any


def put(text: str, file: Any = None, end: str = "\n") -> None:
    """Prints to standard output, or to `file`, a text stream, at once."""
    target = sys.stdout if file is None else file
    try:
        print(text, end=end, file=target, flush=True)
    except BrokenPipeError:
        discard(target)


def discard(file: Any) -> None:
    """Whatever is still to come goes nowhere: the interpreter flushes once more as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, file.fileno())
    os.close(nowhere)
