"""The fits of a study: which there are, and one after the other, each kept once it is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fieldlr.errors import FieldlrError
from fieldlr.linears import LINEARS
from fieldlr.presets import FitOptions, field_config
from fieldlr.runs import Run, open_run
from fieldlr.study.curve import RDCurve, RDPoint
from fieldlr.tasks import Task

NARROW = "narrow full"
BYTES_PER_NUMBER = 4  # float32, until a file has fewer


@dataclass(frozen=True)
class Entry:
    """One fit: a point of a curve, with one seed."""

    curve: str
    point: str
    options: FitOptions

    @property
    def name(self) -> str:
        """Its folder's name."""
        return fit_name(self.curve, self.point, self.options.seed)


def fit_name(curve: str, point: str, seed: int) -> str:
    """The name of the folder of a fit, in its study's `fits`."""
    return f"{curve} {point} seed {seed}".replace("=", "").replace(" ", "-")


def plan(
    task: Task,
    kind: str,
    base: FitOptions,
    backbones: Sequence[str],
    ranks: Sequence[int],
    seeds: int,
    narrow: bool,
) -> list[Entry]:
    """Every fit, all points with the first seed before any with the second.

    With `narrow`, each rank has a dense rival too: the same network, just so much narrower that it
    stores as many numbers as the factorised one.
    """
    _check(backbones, ranks, seeds)
    dense = dataclasses.replace(base, backbone="full", omega=None)
    points = []
    for backbone in backbones:
        if backbone == "full":
            points.append((backbone, "full", dense))
            continue
        omega = base.omega if backbone == "sine-low-rank" else None
        for rank in ranks:
            options = dataclasses.replace(base, backbone=backbone, rank=rank, omega=omega)
            points.append((backbone, f"k={rank}", options))
    for rank in ranks if narrow else ():
        factorised = dataclasses.replace(dense, backbone="low-rank", rank=rank)
        width = narrow_width(task, kind, factorised)
        points.append((NARROW, f"width={width}", dataclasses.replace(dense, width=width)))
    for _, _, options in points:
        _num_parameters(task, kind, options)  # A network that cannot be is refused here, not later.
    return [
        Entry(curve, label, dataclasses.replace(options, seed=seed))
        for seed in range(seeds)
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
            raise FieldlrError(
                f"{folder} holds a fit with {name} {stored.get(name)} and this study wants "
                f"{value}. Repeat the study as it was begun, or give another --out."
            )
    return run if "fit" in run.results else None


def point_of(entry: Entry, run: Run) -> RDPoint:
    """What a finished fit costs and what it is worth."""
    fit = run.results["fit"]
    numbers = fit["num_parameters"]
    return RDPoint(
        entry.point, BYTES_PER_NUMBER * numbers, numbers, fit["quality"], entry.options.seed
    )


def curves_of(done: Sequence[tuple[Entry, Run]], measure: str, description: str) -> list[RDCurve]:
    """The curves that the finished fits make, in the order of their first fits.

    A fit without a quality (no held-out pixel can be seen, say) is on none.
    """
    grouped: dict[str, list[tuple[Entry, Run]]] = {}
    for entry, run in done:
        if run.results["fit"]["quality"] is None:
            continue
        grouped.setdefault(entry.curve, []).append((entry, run))
    return [
        RDCurve(
            name,
            measure,
            tuple(point_of(entry, run) for entry, run in own),
            description,
            dataclasses.asdict(dataclasses.replace(own[0][0].options, rank=None, seed=None)),
        )
        for name, own in grouped.items()
    ]


def _num_parameters(task: Task, kind: str, options: FitOptions) -> int:
    config = field_config(options.settled(), kind)
    return task.make_field(config, torch.Generator()).num_parameters


def _check(backbones: Sequence[str], ranks: Sequence[int], seeds: int) -> None:
    if not backbones or len(set(backbones)) < len(backbones):
        raise FieldlrError("name each backbone of a study once: --backbones full,sine-low-rank.")
    for name in backbones:
        if name not in LINEARS:
            raise FieldlrError(f"a backbone is {', '.join(LINEARS)}; got {name!r}.")
    if seeds < 1:
        raise FieldlrError(f"a study needs at least one seed; got --seeds {seeds}.")
    if set(backbones) != {"full"} and not ranks:
        raise FieldlrError("factorised backbones need ranks: --ranks 1,2,5,20.")
    if len(set(ranks)) < len(ranks) or any(rank < 1 for rank in ranks):
        raise FieldlrError(f"ranks are different whole numbers from 1; got {list(ranks)}.")
