"""The predicted and the actual peak memory of fits.

python -m benchmarks.memory [--photos 1000] [SOURCE ...]

By default of the bundled examples and the real data in FIELDLR_DATA; with --photos of a generated
scene of 12-megapixel photos. Each fit runs in a subprocess. Unix only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import machine, peak_memory
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.runs.check import check
from fieldlr.runs.pipeline import Reconstruction
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions

# Paths relative to FIELDLR_DATA, with reading options.
REAL = {
    "meshes/armadillo.obj": {"grid": 512},
    "meshes/bunny-open.obj": {"grid": 256},
    "volumes/thai_statue.npz": {},
    "scenes/lego": {},
    "scenes/fox": {},
}
SIZE, DISTINCT = (4000, 3000), 4


def photos(folder: Path, count: int) -> Path:
    """A scene of 12-megapixel JPEGs, a few distinct ones under many names."""
    (folder / "images").mkdir()
    noise = np.random.default_rng(0)
    for number in range(min(DISTINCT, count)):
        coarse = noise.integers(0, 256, (SIZE[1] // 20, SIZE[0] // 20, 3), np.uint8)
        Image.fromarray(coarse).resize(SIZE).save(folder / f"images/{number:05d}.jpg", quality=90)
    frames = []
    for number in range(count):
        place = folder / f"images/{number:05d}.jpg"
        if number >= DISTINCT:
            os.link(folder / f"images/{number % DISTINCT:05d}.jpg", place)
        frames.append({"file_path": f"images/{place.name}", "transform_matrix": pose(number)})
    meta = {"fl_x": 3000.0, "fl_y": 3000.0, "w": SIZE[0], "h": SIZE[1], "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(meta))
    return folder


def pose(number: int) -> list[list[float]]:
    """A camera pose on a spiral around the centre, looking at it."""
    turn, height = 2.4 * number, 1.0 + 0.5 * math.sin(0.1 * number)
    position = np.array([4 * math.cos(turn), 4 * math.sin(turn), height])
    backward = position / np.linalg.norm(position)
    right = np.cross((0.0, 0.0, 1.0), backward)
    right /= np.linalg.norm(right)
    columns = [right, np.cross(backward, right), backward, position]
    return [*np.stack(columns, 1).tolist(), [0.0, 0.0, 0.0, 1.0]]


def measured(source: Path, reading: dict, steps: int) -> dict:
    """The prediction of `check`, and the peak memory after it and after a fit."""
    began = time.perf_counter()
    predicted = check(open_source(source, **reading))["memory_bytes"] / 2**30
    taken = time.perf_counter() - began
    read = {"predicted": predicted, "check_peak": peak_memory(), "check_seconds": taken}
    with tempfile.TemporaryDirectory() as out:
        fit = Reconstruction(source, Path(out) / "run", FitOptions.of(steps=steps), **reading)
        for _ in fit.reports():
            pass
        fit.checkpoint()
    return read | {"fit_peak": peak_memory()}


def measured_in_subprocess(source: Path, reading: dict, steps: int) -> dict:
    """The same in a subprocess."""
    words = ["--child", json.dumps([str(source), reading, steps])]
    command = [sys.executable, "-m", "benchmarks.memory", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--photos", type=int, default=0)
    parser.add_argument("--downscale", type=int, default=4, help="of the generated photos")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        source, reading, steps = json.loads(asked.child)
        print(json.dumps(measured(Path(source), reading, steps)))
        return
    chosen = {source: {} for source in asked.sources}
    if not chosen:
        data = Path(os.environ.get("FIELDLR_DATA", "../shared/data"))
        chosen = {example("vase"): {}, example("courtyard"): {}}
        chosen |= {data / name: how for name, how in REAL.items() if (data / name).exists()}
    print(", ".join(f"{key}: {value}" for key, value in machine().items()))
    print("GiB: predicted, peak of a check, peak of a fit")
    with tempfile.TemporaryDirectory() as folder:
        if asked.photos:
            made = photos(Path(folder), asked.photos)
            chosen = {made: {"downscale": asked.downscale}} if not asked.sources else chosen
        for source, reading in chosen.items():
            found = measured_in_subprocess(source, reading, asked.steps)
            print(
                f"{source.name:>24}  {found['predicted']:.2f}  {found['check_peak']:.2f}  "
                f"{found['fit_peak']:.2f}  (read in {found['check_seconds']:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    run_script(main)
