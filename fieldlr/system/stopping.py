"""Ctrl-C and SIGTERM as a stop request that loops check between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    requested: bool = False


@contextmanager
def stop_requests(*signals: signal.Signals) -> Iterator[StopRequest]:
    """The first signal asks to stop; a second one interrupts at once.

    `signals` are SIGINT and SIGTERM unless said. Afterwards they do what they did before.
    """
    signals = signals or (signal.SIGINT, signal.SIGTERM)
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Only the main thread may handle signals.
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if request.requested:
            raise KeyboardInterrupt
        request.requested = True

    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
