"""Trainings by epochs that can be stopped: a checkpoint after each epoch, and the time left."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from fieldlr.nn.execution import fast_format
from fieldlr.runs.tensors import read_tensors, write_tensors
from fieldlr.system.duration import duration

# The plain values of a training: its setting, or the figures of an epoch.
Figures = dict[str, Any]


@dataclass
class Progress:
    """The time left of a study, by the work done since it was started."""

    total: float
    done: float = 0.0
    worked: float = 0.0
    seconds: float = 0.0

    def skip(self, work: float) -> None:
        """Counts work done before it was started again."""
        self.done += work

    def add(self, work: float, seconds: float) -> None:
        self.done += work
        self.worked += work
        self.seconds += seconds

    def left(self) -> str:
        """The time left in words."""
        return f"{duration((self.total - self.done) * self.seconds / self.worked)} left"


@dataclass
class Training:
    """A model with its optimiser, trained by `epoch(number)`, which returns its figures.

    A training stopped at any moment repeats at most one epoch, and ends as if it had never been
    stopped, provided that `epoch` depends on nothing but the model, the optimiser and the number.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: Callable[[int], Figures]
    checkpoint: Path
    history: list[Figures] = field(default_factory=list)

    def run(self, epochs: int, title: str, progress: Progress, work: float) -> list[Figures]:
        """The figures of each epoch; `work` is what an epoch counts for in `progress`."""
        if self.checkpoint.exists():
            self.restore()
            progress.skip(work * len(self.history))
        for number in range(len(self.history), epochs):
            start = time.perf_counter()
            figures = self.epoch(number)
            seconds = time.perf_counter() - start
            self.history.append({**figures, "seconds": seconds})
            self.save()
            progress.add(work, seconds)
            shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
            print(
                f"{title}: epoch {number + 1} of {epochs}, {shown}, {progress.left()}", flush=True
            )
        return self.history

    def save(self) -> None:
        # What does not learn comes with the model.
        learning = ((n, p) for n, p in self.model.named_parameters() if p.requires_grad)
        tensors = {f"model.{name}": value for name, value in learning}
        for index, own in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in own.items()}
        write_tensors(self.checkpoint, tensors, {"history": self.history})

    def restore(self) -> None:
        tensors, plain = read_tensors(self.checkpoint)
        own = {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
        self.model.load_state_dict(own, strict=False)
        state: dict[int, Figures] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                index, _, entry = rest.partition(".")
                state.setdefault(int(index), {})[entry] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
        self.history = plain["history"]


def checkpoint_of(results: Path, setting: Figures) -> Path:
    """Where the training of this setting keeps its checkpoint, beside the results."""
    digest = hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()
    return results.with_suffix(".checkpoints") / f"{digest[:16]}.safetensors"


@contextmanager
def mixed_precision(device: torch.device) -> Iterator[None]:
    """Products in bfloat16 where that is fast, the rest in float32."""
    low = fast_format(device.type) == torch.bfloat16  # Emulated, it is several times slower.
    # On CPUs the backward pass of torch's fused attention takes longer than all the rest.
    kernels = [SDPBackend.MATH] if device.type == "cpu" else [*SDPBackend.__members__.values()]
    with torch.autocast(device.type, torch.bfloat16, enabled=low), sdpa_kernel(kernels):
        yield


def seeded(*numbers: int) -> torch.Generator:
    """A generator for each tuple of a few numbers, such as (seed, epoch)."""
    digest = hashlib.sha256(repr(numbers).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def schedule(step: int, steps: int, warm_up: float) -> float:
    """The learning rate as a share of its maximum: a linear rise, then a linear fall to zero."""
    rise = max(1.0, warm_up * steps)
    return min((step + 1) / rise, (steps - step) / max(1.0, steps - rise))


def seconds_of(history: list[Figures]) -> float:
    return sum(figures["seconds"] for figures in history)
