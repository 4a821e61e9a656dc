"""The fits of a study: their options, and whether one is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.codec import FEWEST_BITS, MOST_BITS
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.runs import Run, open_folder
from fieldlr.runs.pipeline import options_of
from fieldlr.system.kinds import Choice, ListOf, Number, Switch, Whole
from fieldlr.system.options import Options, option, own_options
from fieldlr.training.loop import FitConfig
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import count_parameters, field_config

NARROW = "narrow full"


@dataclass(frozen=True, kw_only=True)
class Sweep(Options):
    """The parameters that a study varies: backbones, ranks, seeds and bits."""

    backbones: tuple[str, ...] = option(
        ListOf(Choice(LINEARS), "full,low-rank"),
        "Backbones to compare",
        ("full", "low-rank", "sine-low-rank"),
    )
    ranks: tuple[int, ...] = option(
        ListOf(Whole(1), "1,2,5"), "Ranks of each factorised backbone", (1, 2, 5, 20)
    )
    seeds: int = option(Whole(1), "Seeds per point", 1)
    narrow: bool = option(
        Switch(),
        "Add dense networks with as many parameters as the factorised ones of each rank",
        True,
    )
    classic: bool = option(
        Switch(),
        "Add baselines: Draco, block grids, JPEG, ...",
        False,
    )
    bits: tuple[float, ...] | None = option(
        ListOf(Number(FEWEST_BITS, MOST_BITS, above=False, unit="B"), "4,6,8"),
        "Bits per parameter, one file for each",
        shown_default="automatic: no visible loss",
    )
    finetune: float | None = option(
        Number(unit="S"),
        "Seconds (with `steps`: steps) of quantisation-aware fine-tuning per file",
        shown_default="none",
    )

    @property
    def all_bits(self) -> tuple[float | None, ...]:
        """The bits of each file; None means automatic."""
        return self.bits or (None,)

    def finetuning(self, base: FitOptions) -> FitConfig | None:
        """The limit of the fine-tuning, in steps if the fits are limited by steps alone."""
        if self.finetune is None:
            return None
        if base.schedule.steps is not None and base.schedule.seconds is None:
            return FitConfig(steps=math.ceil(self.finetune))
        return FitConfig(seconds=self.finetune)


@dataclass(frozen=True)
class Entry:
    """One fit: a point of a curve, with one seed."""

    curve: str
    point: str
    options: FitOptions

    @property
    def seed(self) -> int:
        return self.options.schedule.seed or 0

    @property
    def title(self) -> str:
        """The display name; that of `full` has its only point once."""
        point = self.point if self.point == self.curve else f"{self.curve} {self.point}"
        return f"{point} seed {self.seed}"

    @property
    def name(self) -> str:
        """The name of its folder."""
        words = f"{self.curve} {self.point} seed {self.seed}"
        return words.replace("=", "").replace(" ", "-")


def has_rank(backbone: str) -> bool:
    """Whether a backbone has the option `rank`."""
    return "rank" in {own.name for own in own_options(LINEARS[backbone])}


def plan(kind: str, base: FitOptions, sweep: Sweep) -> list[Entry]:
    """All fits, ordered by seed first."""
    points = []
    for backbone in sweep.backbones:
        if not has_rank(backbone):
            points.append((backbone, backbone, base.with_backbone(backbone)))
            continue
        points += [(backbone, f"k={k}", base.with_backbone(backbone, rank=k)) for k in sweep.ranks]
    for rank in sweep.ranks if sweep.narrow else ():
        width = narrow_width(kind, base.with_backbone("low-rank", rank=rank))
        dense = base.with_backbone("full").replaced(width=width)
        points.append((NARROW, f"width={width}", dense))
    points = list({point[:2]: point for point in points}.values())  # Widths may coincide.
    for _, _, options in points:
        count_parameters(options, kind)  # Raises for an invalid network, before any work.
    return [
        Entry(curve, label, options.replaced(seed=seed))
        for seed in range(sweep.seeds)
        for curve, label, options in points
    ]


def narrow_width(kind: str, factorised: FitOptions) -> int:
    """The width of the dense network whose number of parameters is nearest."""
    goal = count_parameters(factorised, kind)
    dense = factorised.with_backbone("full")

    def count(width: int) -> int:
        return count_parameters(dense.replaced(width=width), kind)

    low, high = 1, field_config(factorised, kind).width
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= goal else (low, middle)
    return min((low, high), key=lambda width: abs(count(width) - goal))


def finished(entry: Entry, folder: Path, content_hash: str) -> Run | None:
    """The run in `folder` if done; raises FieldlrError if it is of another fit or source."""
    if not (folder / "config.json").exists():
        return None
    run = open_folder(folder)
    stored, wanted = options_of(run), entry.options.settled()
    held = stored.of_the_fit() | stored.reading.flat() | {"content_hash": run.content_hash}
    asked = wanted.of_the_fit() | wanted.reading.flat() | {"content_hash": content_hash}
    for name, value in asked.items():
        if held[name] != value:
            raise another_study(folder, name, held[name], value)
    return run if "fit" in run.results else None


def another_study(folder: Path, name: str, held: Any, wanted: Any) -> FieldlrError:
    """The error for a folder with fits of other options."""
    return FieldlrError(
        f"{folder} has fits with `{name}` {held} and this study needs {wanted}. Use the original "
        "options, or choose another `out`."
    )
