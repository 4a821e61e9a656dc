"""What padding the last chunk of a batch to whole granules saves in training on photos.

    python -m benchmarks.padding [SCENE]

Batches of photos have another number of rows in each step. oneDNN compiles a product of bfloat16
anew for each number of rows; padded, there are few of them. One thread, the bundled windmill by
default; without bfloat16 there is nothing to save, and the ratio is 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.measure import machine, ratio, seconds
from fieldlr.data import open_source
from fieldlr.nn.execution import engine, fast_format
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit

WARM_UP, STEPS = 80, 10


def main() -> None:
    torch.set_num_threads(1)
    scene = Path(sys.argv[1] if len(sys.argv) > 1 else "scenes/windmill")
    source, options = open_source(scene), FitOptions.of(seed=0).settled()
    state = start_fit(make_task(source, options), field_config(options, source.kind), 0)
    padded = engine.ROW_GRANULE

    def steps(granule: int, count: int = STEPS) -> None:
        engine.ROW_GRANULE = granule
        end = state.step + count
        state.seconds = 0.0
        for _ in fit(state, FitConfig(steps=end)):
            pass

    steps(padded, WARM_UP)
    state.task.quality = lambda field: 0.0  # Steps alone are timed.
    plain, ours = seconds(lambda: steps(1), lambda: steps(padded))
    mean, spread = ratio(plain, ours)
    print(machine(), fast_format("cpu"))
    print(f"steps on {scene.name} without padding take {mean:.2f} ± {spread:.2f} times as long")


if __name__ == "__main__":
    run_script(main)
