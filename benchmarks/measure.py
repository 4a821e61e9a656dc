"""Timing and goals, common to all benchmarks.

Alternatives are timed in turn, round after round, so that disturbances affect all of them; a figure
is the median over rounds, its spread the interquartile range.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

import torch


@dataclass(frozen=True)
class Line:
    """A measured figure, with its goal, if any."""

    name: str
    unit: str
    value: float
    spread: float = 0.0
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        text = f"{self.name} {self.value:.4g}"
        text += f" +-{self.spread:.2g}" if self.spread else ""
        text += f" {self.unit}" if self.unit else ""
        for sign, goal in ((">=", self.at_least), ("<=", self.at_most)):
            if goal is not None:
                text += f" {sign} {goal:g} {'met' if self.met else 'not met'}"
        return text


@dataclass
class Report:
    """Figures, printed as they come, and saved as JSON."""

    lines: list[Line] = field(default_factory=list)

    def add(self, *line, **goal) -> None:
        self.lines.append(Line(*line, **goal))
        print(self.lines[-1], flush=True)

    def verdict(self) -> str:
        missed = [line.name for line in self.lines if not line.met]
        return f"not met: {', '.join(missed)}" if missed else "all goals met"

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": machine(), "lines": [asdict(line) for line in self.lines]}
        path.write_text(json.dumps(content, indent=1))


def machine() -> dict[str, str | int]:
    """The machine that figures are measured on."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.partition(": ")[2] for x in lines if x.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {"processor": name, "cores": cores, "torch": torch.__version__}


def peak_memory() -> float:
    """The peak memory of this process so far, in GiB."""
    import resource  # Unix only

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def seconds(*calls: Callable[[], object], rounds: int = 7) -> list[list[float]]:
    """Seconds of each call per round, with calls in turn, after a warm-up round."""
    times: list[list[float]] = [[] for _ in calls]
    for round_ in range(rounds + 1):
        for call, own in zip(calls, times, strict=True):
            began = perf_counter()
            call()
            if round_:
                own.append(perf_counter() - began)
    return times


def ratio(above: list[float], below: list[float]) -> tuple[float, float]:
    """(median, spread) of above / below, per round."""
    return summary([a / b for a, b in zip(above, below, strict=True)])


def summary(values: list[float]) -> tuple[float, float]:
    """(median, interquartile range)."""
    if len(values) < 2:
        return values[0], 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return statistics.median(values), high - low


def limit() -> Callable[[], None]:
    """A call of LIMIT_FLOPS in the operation that limits the engine.

    A bfloat16 product of 4,096 x 256 by 256 x 256, on all cores.
    """
    x, w = (torch.randn(n, 256).bfloat16() for n in (4096, 256))

    def call() -> None:
        for _ in range(LIMIT_REPEATS):
            x @ w

    return call


LIMIT_REPEATS = 100
LIMIT_FLOPS = 2.0 * 4096 * 256 * 256 * LIMIT_REPEATS
