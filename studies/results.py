"""Results of trainings with several seeds: of a setting, their spread, as a table and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import scipy.stats

from fieldlr.pictures.curves import Plot, draw_svg
from fieldlr.system.json import read_json

Results = list[dict[str, Any]]


def chosen(results: Results, **setting: Any) -> Results:
    """The results of a setting, by seed."""
    found = [one for one in results if setting.items() <= one.items()]
    return sorted(found, key=lambda one: one["seed"])


def interval(differences: list[float]) -> tuple[float, float, float]:
    """(mean, low, high) of paired differences: the 95 % interval of Student's t."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return mean, float("-inf"), float("inf")
    spread = statistics.stdev(differences) / len(differences) ** 0.5
    half = float(scipy.stats.t.ppf(0.975, len(differences) - 1)) * spread
    return mean, mean - half, mean + half


def report(
    path: Path, table: Callable[[Results], list[str]], plot: Callable[[Results], Plot]
) -> None:
    """Prints the table of the results in a JSON file, and draws them beside it."""
    results = [one for one in read_json(path) if not one["search"]]
    if results:
        print("\n".join(table(results)))
        draw_svg(plot(results), path.with_suffix(".svg"))
