"""The fits of a study: which there are, and whether one is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fieldlr import codec
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.runs import Run, open_run
from fieldlr.training.loop import FitConfig
from fieldlr.training.presets import FitOptions, field_config
from fieldlr.training.tasks import Task

NARROW = "narrow full"


@dataclass(frozen=True)
class Sweep:
    """What a study goes over: each backbone at each rank, each fit with each seed, as files."""

    backbones: Sequence[str]
    ranks: Sequence[int]
    seeds: int = 1
    narrow: bool = True  # for each rank a dense network that stores as many numbers
    bits: Sequence[float | None] = (None,)  # of a number in a file; None: the codec's own choice
    finetune: FitConfig | None = None  # of each file

    def __post_init__(self):
        if not self.backbones or len(set(self.backbones)) < len(self.backbones):
            raise FieldlrError("name each backbone of a study once: --backbones full,low-rank.")
        for name in self.backbones:
            if name not in LINEARS:
                raise FieldlrError(f"a backbone is {', '.join(LINEARS)}; got {name!r}.")
        if self.seeds < 1:
            raise FieldlrError(f"a study needs at least one seed; got --seeds {self.seeds}.")
        if set(self.backbones) != {"full"} and not self.ranks:
            raise FieldlrError("factorised backbones need ranks: --ranks 1,2,5,20.")
        if len(set(self.ranks)) < len(self.ranks) or any(rank < 1 for rank in self.ranks):
            raise FieldlrError(f"ranks are different whole numbers from 1; got {list(self.ranks)}.")
        given = [f"{bits:g}" for bits in self.bits if bits is not None]  # As files are named.
        if len(set(given)) < len(given):
            raise FieldlrError(f"--bits are different numbers, as 4,6,8; got {','.join(given)}.")
        for bits in self.bits:
            codec.check_bits(bits)


@dataclass(frozen=True)
class Entry:
    """One fit: a point of a curve, with one seed."""

    curve: str
    point: str
    options: FitOptions

    @property
    def title(self) -> str:
        """For people; `full` is one point and says so once."""
        point = self.point if self.point == self.curve else f"{self.curve} {self.point}"
        return f"{point} seed {self.options.seed}"

    @property
    def name(self) -> str:
        """Its folder's name."""
        words = f"{self.curve} {self.point} seed {self.options.seed}"
        return words.replace("=", "").replace(" ", "-")


def plan(task: Task, kind: str, base: FitOptions, sweep: Sweep) -> list[Entry]:
    """Every fit, all points with the first seed before any with the second."""
    dense = dataclasses.replace(base, backbone="full", omega=None)
    points = []
    for backbone in sweep.backbones:
        if backbone == "full":
            points.append((backbone, "full", dense))
            continue
        omega = base.omega if backbone == "sine-low-rank" else None
        for rank in sweep.ranks:
            options = dataclasses.replace(base, backbone=backbone, rank=rank, omega=omega)
            points.append((backbone, f"k={rank}", options))
    for rank in sweep.ranks if sweep.narrow else ():
        factorised = dataclasses.replace(dense, backbone="low-rank", rank=rank)
        width = narrow_width(task, kind, factorised)
        points.append((NARROW, f"width={width}", dataclasses.replace(dense, width=width)))
    points = list({point[:2]: point for point in points}.values())  # Widths may coincide.
    for _, _, options in points:
        _num_parameters(task, kind, options)  # A network that cannot be is refused here, not later.
    return [
        Entry(curve, label, dataclasses.replace(options, seed=seed))
        for seed in range(sweep.seeds)
        for curve, label, options in points
    ]


def narrow_width(task: Task, kind: str, factorised: FitOptions) -> int:
    """The width of the dense network that stores most nearly as many numbers."""
    goal = _num_parameters(task, kind, factorised)
    dense = dataclasses.replace(factorised, backbone="full", rank=None)

    def count(width: int) -> int:
        return _num_parameters(task, kind, dataclasses.replace(dense, width=width))

    low, high = 1, field_config(factorised.settled(), kind).width
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= goal else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - goal))


def finished(entry: Entry, folder: Path, about: dict[str, Any]) -> Run | None:
    """The run in `folder`, if it is done; FieldlrError where it is not this fit.

    `about` holds what else a run's config and reading must say: the hash of the source, its size.
    """
    if not (folder / "config.json").exists():
        return None
    run = open_run(folder)
    stored = run.config["options"] | run.config["reading"]
    stored["content_hash"] = run.config["content_hash"]
    for name, value in (dataclasses.asdict(entry.options.settled()) | about).items():
        if stored.get(name) != value:
            raise another_study(folder, name, stored.get(name), value)
    return run if "fit" in run.results else None


def another_study(folder: Path, name: str, held: Any, wanted: Any) -> FieldlrError:
    """What to say where a folder holds other fits than a study makes."""
    return FieldlrError(
        f"{folder} holds fits with {name} {held} and this study wants {wanted}. Repeat the study "
        "as it was begun, or give another --out."
    )


def _num_parameters(task: Task, kind: str, options: FitOptions) -> int:
    config = field_config(options.settled(), kind)
    return task.make_field(config, torch.Generator()).num_parameters
