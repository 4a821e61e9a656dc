"""`make bench-quality`: quality by training time on real data in $FIELDLR_DATA. Takes 40 minutes.

python -m benchmarks.quality [--out quality.json] [--only NAME]
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.measure import Report, machine, peak_memory
from benchmarks.steps import CPU
from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.system.script import run_script
from fieldlr.training.loop import fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, fit_config, make_task
from fieldlr.training.state import start_fit


@dataclass(frozen=True)
class Case:
    """A fit with its training time, and its goal."""

    source: str
    options: FitOptions
    at_least: float | None = None
    downscale: int | None = None


def shape(seconds: float, backbone: str = "full", rank: int | None = None) -> FitOptions:
    return FitOptions.of(backbone=backbone, rank=rank, seconds=seconds)


STATUE, LEGO = "volumes/thai_statue.npz", "scenes/lego"
CASES = {
    "statue_2817_numbers_15s": Case(STATUE, shape(15.0, "sine-low-rank", 1)),
    "statue_2817_numbers_25s": Case(STATUE, shape(25.0, "sine-low-rank", 1), 0.908),
    "statue_full_20s": Case(STATUE, shape(20.0)),
    "statue_full_35s": Case(STATUE, shape(35.0), 0.972),
    "statue_full_120s": Case(STATUE, shape(120.0), 0.985),
    "lego_60s": Case(LEGO, FitOptions.of(seconds=60.0), 22.0, 2),
    "lego_180s": Case(LEGO, FitOptions.of(seconds=180.0), 25.0, 2),
    "lego_600s": Case(LEGO, FitOptions.of(seconds=600.0), 27.0, 2),
    "lego_4x128_full_180s": Case(LEGO, FitOptions.of(seconds=180.0, encoding="frequency"), 23.0, 2),
    "lego_4x128_sine_5_180s": Case(
        LEGO,
        FitOptions.of(seconds=180.0, encoding="frequency", backbone="sine-low-rank", rank=5),
        None,
        2,
    ),
    "lego_4x128_low_5_180s": Case(
        LEGO,
        FitOptions.of(seconds=180.0, encoding="frequency", backbone="low-rank", rank=5),
        None,
        2,
    ),
    "fox_180s": Case("scenes/fox", FitOptions.of(seconds=180.0), None, 8),
    "fern_180s": Case("scenes/fern", FitOptions.of(seconds=180.0), None, 2),
}


def run(case: Case, folder: Path, device: torch.device = CPU) -> float:
    """The quality (IoU, or PSNR in dB) of the full evaluation."""
    source = open_source(folder / case.source, case.downscale)
    options = case.options.settled()
    task = make_task(source, options)
    config = field_config(options, source.kind)
    end = fit_config(options, source.kind)
    state = start_fit(task, config, end.seed, device)
    for _ in fit(state, end):
        pass
    return task.evaluate(state.field.eval())[task.quality_name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("quality.json"))
    parser.add_argument("--only", choices=CASES)
    arguments = parser.parse_args()
    folder = os.environ.get("FIELDLR_DATA")
    if folder is None or not Path(folder).is_dir():
        raise FieldlrError(
            f"FIELDLR_DATA is the folder of the real scenes and meshes; got {folder}. Set it."
        )
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    for name, case in CASES.items():
        if arguments.only in (None, name):
            unit = "dB" if case.source.startswith("scenes") else "IoU"
            report.add(name, unit, run(case, Path(folder)), at_least=case.at_least)
            report.add(f"peak_memory_up_to_{name}", "GiB", peak_memory())
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    run_script(main)
