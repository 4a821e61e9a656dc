"""The fits of a study: which there are, and whether one is done."""

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
    """What a study goes over: each backbone at each rank, each fit with each seed, as files."""

    backbones: tuple[str, ...] = option(
        ListOf(Choice(LINEARS), "full,low-rank"),
        "Backbones to compare",
        ("full", "low-rank", "sine-low-rank"),
    )
    ranks: tuple[int, ...] = option(
        ListOf(Whole(1), "1,2,5"), "Ranks of each factorised backbone", (1, 2, 5, 20)
    )
    seeds: int = option(Whole(1), "Fits of each point", 1)
    narrow: bool = option(
        Switch(), "Adds dense networks as small as the factorised ones of each rank", True
    )
    classic: bool = option(
        Switch(),
        "Adds conventional codecs of shapes and pictures: Draco, block grids, ...",
        False,
    )
    bits: tuple[float, ...] | None = option(
        ListOf(Number(FEWEST_BITS, MOST_BITS, above=False, unit="B"), "4,6,8"),
        "Bits that a parameter takes in a file, a file of each",
        shown_default="as many as the quality hardly shows",
    )
    finetune: float | None = option(
        Number(unit="S"),
        "Seconds (with `steps`: steps) of training for few bits, for each file",
        shown_default="none",
    )

    @property
    def all_bits(self) -> tuple[float | None, ...]:
        """The bits of each file; None stands for the codec's own choice."""
        return self.bits or (None,)

    def finetuning(self, base: FitOptions) -> FitConfig | None:
        """The end of the fine-tuning: in steps where the fits have steps alone."""
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
        """For people; `full` is one point and says so once."""
        point = self.point if self.point == self.curve else f"{self.curve} {self.point}"
        return f"{point} seed {self.seed}"

    @property
    def name(self) -> str:
        """Its folder's name."""
        words = f"{self.curve} {self.point} seed {self.seed}"
        return words.replace("=", "").replace(" ", "-")


def has_rank(backbone: str) -> bool:
    """Whether it has several ranks to go over."""
    return "rank" in {own.name for own in own_options(LINEARS[backbone])}


def plan(kind: str, base: FitOptions, sweep: Sweep) -> list[Entry]:
    """Every fit, all points with the first seed before any with the second."""
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
        count_parameters(options, kind)  # A network that cannot be is refused here, not later.
    return [
        Entry(curve, label, options.replaced(seed=seed))
        for seed in range(sweep.seeds)
        for curve, label, options in points
    ]


def narrow_width(kind: str, factorised: FitOptions) -> int:
    """The width of the dense network that stores most nearly as many parameters."""
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
    """The run in `folder`, if it is done; FieldlrError where it is not this fit of this source."""
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
    """What to say where a folder holds other fits than a study makes."""
    return FieldlrError(
        f"{folder} holds fits with `{name}` {held} and this study wants {wanted}. Repeat the study "
        "as it was begun, or give another `out`."
    )
