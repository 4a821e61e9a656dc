"""The best omega: quality by the spread of the phase, over rank, width and learning rate.

    python studies/omega.py SOURCE --out paper/results/omega-NAME.json [--ranks 1,2,5,20]
        [--widths 128,256] [--rates 0.1,0.2] [--seeds 1] [--steps 800] [--downscale N]
        [--grid N]

The spread is omega / (3 sqrt(n)), the initial standard deviation of the phase omega U V^T in
radians for a layer of n inputs at any rank; learning rates are in radians of phase per step. Each
result is saved when its fit ends; rerun the same command to resume. Shape fits that Gauss-Newton
takes over get NEWTON_STEPS.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
from pathlib import Path

import torch
from trials import Trials, trained

from fieldlr.data import open_source
from fieldlr.nn.linears import PhaseSpread
from fieldlr.pictures.curves import Mark, Plot, Series, draw_svg
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task

SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
NEWTON_STEPS = 260


def numbers(text: str, kind=float) -> list:
    return [kind(word) for word in text.split(",")]


def try_out(source, words: dict, trials: Trials) -> None:
    """Runs one fit unless its result is known; a spread of None means `--omega auto`."""
    rank, width, spread = words["rank"], words["width"], words["spread"]
    encoding = "frequency" if source.kind == "photos" else None
    options = FitOptions.of(
        backbone="sine-low-rank",
        rank=rank,
        omega="auto" if spread is None else PhaseSpread(spread),
        width=width,
        encoding=encoding,
        seed=words["seed"],
    ).settled()
    task = make_task(source, options)
    task.settings = dataclasses.replace(task.settings, phase_rate=words["rate"])
    config = field_config(options, source.kind)
    newton = task.second_order
    if newton and newton.uses_gauss_newton(task.make_field(config, torch.Generator())):
        words = words | {"steps": NEWTON_STEPS}
    words = words | {"spread": spread or config.linear.omega.radians}
    if not trials.has(words):
        state = trained(task, config, words["seed"], words["steps"])
        quality = task.quality(state.field)
        trials.keep(words | {"seconds": state.seconds, "quality": quality})


def draw(results: list[dict], path: Path, name: str, label: str) -> None:
    """Plots, per rank, the largest width and most steps, with a curve per learning rate."""
    for rank in sorted({r["rank"] for r in results}):
        own = [r for r in results if r["rank"] == rank]
        width, steps = (max(r[name] for r in own) for name in ("width", "steps"))
        own = [r for r in own if (r["width"], r["steps"]) == (width, steps)]
        series = []
        for rate in sorted({r["rate"] for r in own}):
            marks = []
            for spread in sorted({r["spread"] for r in own if r["rate"] == rate}):
                same = [r["quality"] for r in own if (r["rate"], r["spread"]) == (rate, spread)]
                marks.append(Mark(spread, statistics.mean(same), min(same), max(same)))
            series.append(Series(f"{rate:g} rad per step", marks))
        title = f"{name}, rank {rank}, width {width}"
        plot = Plot(title, "initial spread of the phase, radians", label, series)
        draw_svg(plot, path.with_name(f"{path.stem}-k{rank}.svg"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ranks", default="1,2,5,20")
    parser.add_argument("--widths", default="256")
    parser.add_argument("--rates", help="learning rates; by default the task's")
    parser.add_argument("--spreads", default=",".join(map(str, SPREADS)))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--downscale", type=int)
    parser.add_argument("--grid", type=int)
    words = parser.parse_args()
    source = open_source(words.source, words.downscale, words.grid)
    usual = make_task(source, FitOptions().settled()).settings.phase_rate
    trials = Trials(words.out)
    plan = itertools.product(
        range(words.seeds),
        numbers(words.ranks, int),
        numbers(words.widths, int),
        numbers(words.rates or str(usual)),
        [*numbers(words.spreads), None],
    )
    for seed, rank, width, rate, spread in plan:
        setting = {"rank": rank, "width": width, "rate": rate, "spread": spread}
        try_out(source, setting | {"seed": seed, "steps": words.steps}, trials)
    label = "PSNR, dB" if source.kind == "photos" else "IoU"
    draw(trials.done, words.out, source.content.name, label)


if __name__ == "__main__":
    run_script(main)
