"""A sweep over learning rates.

    python studies/rates.py SOURCE --out paper/results/rates-NAME.json
        [--backbone sine-low-rank] [--ranks 5] [--widths 256] [--activation NAME]
        [--rates 0.005:0.005,0.0065:0.0009] [--optimizer adam] [--seeds 1] [--steps 600]
        [--downscale N]

In `--rates`, a pair U:V gives the learning rates of the factors, a single number that of all
parameters not trained by Muon, and `usual` the default. Each result is saved when its fit ends;
rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

from trials import Trials, trained

from fieldlr.data import open_source
from fieldlr.fields.field import Field
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.tasks import Task

USUAL = "usual"


def groups_of(task: Task, field: Field, rates: str) -> list[dict[str, Any]]:
    """The task's parameter groups with other learning rates: of U and V, or of all but Muon's."""
    groups = task.parameter_groups(field)
    if rates == USUAL:
        return groups
    if ":" not in rates:
        return [group if group["matrices"] else group | {"lr": float(rates)} for group in groups]
    factors: dict[str, list] = {"U": [], "V": []}
    for name, parameter in field.named_parameters():
        if name.endswith((".U", ".V")):
            factors[name[-1]].append(parameter)
    taken = {id(parameter) for own in factors.values() for parameter in own}
    for group in groups:
        group["params"] = [p for p in group["params"] if id(p) not in taken]
    for own, rate in zip(factors.values(), rates.split(":"), strict=True):
        groups.append({"params": own, "lr": float(rate), "matrices": False})
    return [group for group in groups if group["params"]]


class RatedTask:
    """A task with other learning rates."""

    def __init__(self, task: Task, rates: str):
        self.task, self.rates = task, rates

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def parameter_groups(self, field: Field) -> list[dict[str, Any]]:
        return groups_of(self.task, field, self.rates)


def measure(source, words: dict[str, Any]) -> dict[str, Any]:
    """The result of one fit."""
    names = ("backbone", "rank", "width", "activation", "optimizer", "seed")
    options = FitOptions.of(
        **{name: words[name] for name in names if name in words},
        encoding="frequency" if source.kind == "photos" else None,
    ).settled()
    task = RatedTask(make_task(source, options), words["rates"])
    state = trained(task, field_config(options, source.kind), words["seed"], words["steps"])
    return words | {"seconds": state.seconds, "quality": task.quality(state.field)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backbone", default="sine-low-rank")
    parser.add_argument("--ranks", default="5")
    parser.add_argument("--widths", default="256")
    parser.add_argument("--activation")
    parser.add_argument("--rates", default=USUAL)
    parser.add_argument("--optimizer", default="adam", choices=["adam", "auto"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--downscale", type=int)
    words = parser.parse_args()
    source = open_source(words.source, words.downscale)
    trials = Trials(words.out)
    factored = "low-rank" in words.backbone
    ranks = [{"rank": int(rank)} for rank in words.ranks.split(",")] if factored else [{}]
    widths, rates = map(int, words.widths.split(",")), words.rates.split(",")
    names = ("backbone", "activation", "optimizer", "steps")
    common = {name: getattr(words, name) for name in names}
    for seed, rank, width, rate in itertools.product(range(words.seeds), ranks, widths, rates):
        setting = common | rank | {"width": width, "rates": rate, "seed": seed}
        if not trials.has(setting):
            trials.keep(measure(source, setting))


if __name__ == "__main__":
    run_script(main)
