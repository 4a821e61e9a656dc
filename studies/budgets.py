"""How many steps a preset needs: whole fits of doubling lengths, each with its own schedule.

    python studies/budgets.py SOURCE [--preset quick] [--steps 125,250,500] [--grid N]

Prints the held-out PSNR, or the IoU over every voxel, after each number of steps. A fit that ends
early is another fit than the beginning of a longer one, because learning rates fall towards the
end: so each length is trained from the start, with the same seed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fieldlr.data import open_source
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--steps", default="125,250,500,1000,2000,4000")
    parser.add_argument("--grid", type=int)
    words = parser.parse_args()
    options = FitOptions.of(preset=words.preset).settled()
    source = open_source(words.source, grid=words.grid)
    for steps in map(int, words.steps.split(",")):
        task = make_task(source, options)
        state = start_fit(task, field_config(options, source.kind), 0, torch.device("cpu"))
        for _ in fit(state, FitConfig(steps=steps)):
            pass
        quality = task.evaluate(state.field.eval())[task.quality_name]
        print(
            f"{words.source.stem}, {words.preset}: {steps:6,} steps, {quality:.4f} "
            f"{task.quality_name}, {state.samples / steps:,.0f} samples a step, "
            f"{state.seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    run_script(main)
