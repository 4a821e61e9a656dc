"""Comparison with a Gaussian-splatting trainer on the same CPU after equal CPU time.

    python -m benchmarks.peers [--only fox,room] [--seeds 1]

Real scenes are read from FIELDLR_DATA. One thread; times are CPU times, so that other load has
little effect. A line has the results of fieldlr with its defaults and those of OpenSplat 1.1.5 (CPU
build; same photos, held-out views and metric).

OpenSplat was built with cmake, OpenCV and the LibTorch of torch's CPU wheel, given COLMAP's sparse
points, or points triangulated from the given poses, and run with settings for short fits:
`--num-downscales 1 --resolution-schedule 300..600 --warmup-length 100..200 --refine-every 50..100
--sh-degree-interval 250..400`; its defaults are worse by 6 dB in so little time.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import torch

from benchmarks.measure import machine
from fieldlr.data import open_source
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import start_fit


@dataclass(frozen=True)
class Case:
    """A scene, the CPU time of its training, and the peer's results."""

    scene: str
    downscale: int
    seconds: float
    peer_psnr: float
    peer_ssim: float


CASES = {
    "lego": Case("scenes/lego", 2, 120.0, 25.08, 0.884),
    "lego-long": Case("scenes/lego", 2, 360.0, 26.82, 0.922),
    "fox": Case("scenes/fox", 8, 120.0, 24.34, 0.805),
    "room": Case("scenes/room-colmap", 4, 360.0, 27.09, 0.892),
}


def run(case: Case, folder: Path, seed: int) -> str:
    """The results and times of one fit, in a line."""
    source = open_source(folder / case.scene, case.downscale)
    options = FitOptions.of(seed=seed).settled()
    task = make_task(source, options)
    state = start_fit(task, field_config(options, source.kind), seed)
    began = process_time()
    for _ in fit(state, FitConfig(seconds=case.seconds, seed=seed), process_time):
        pass
    beside = process_time() - began - state.seconds
    began = process_time()
    figures = task.evaluate(state.field.eval())
    a_view = (process_time() - began) / len(figures["per_view"])
    return (
        f"{figures['psnr_db']:.2f} dB, SSIM {figures['ssim']:.3f} "
        f"(peer: {case.peer_psnr:.2f} dB, {case.peer_ssim:.3f}); {state.step:,} steps, "
        f"overhead {beside:.1f} s, {a_view:.2f} s per view"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--seeds", type=int, default=1)
    words = parser.parse_args()
    folder = Path(os.environ.get("FIELDLR_DATA", "../shared/data"))
    torch.set_num_threads(1)
    print(machine())
    for name in words.only.split(","):
        for seed in range(words.seeds):
            case = CASES[name]
            line = run(case, folder, seed)
            print(f"{name}, {case.seconds:g} s of one core, seed {seed}: {line}", flush=True)


if __name__ == "__main__":
    run_script(main)
