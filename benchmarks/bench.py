"""`make bench`: speed of all parts, against plain baselines, the hardware limit and goals.

    python -m benchmarks.bench [--out bench.json] [--only training|photos|encodings|rendering|...]

Each line is `NAME VALUE >= GOAL met|not met`. It takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from benchmarks import plain
from benchmarks.codec import coding
from benchmarks.extraction import extraction
from benchmarks.growth import growth
from benchmarks.measure import LIMIT_FLOPS, Report, limit, machine, ratio, seconds, summary
from benchmarks.newton import newton
from benchmarks.steps import Steps
from benchmarks.views import rendering
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.encodings import DenseGrid, HashGrid
from fieldlr.nn.execution import encode
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.tasks import OccupancyTask

POINTS = 16384


def shape(kind: str, **options) -> FieldConfig:
    return field_config(FitOptions.of(**options), kind)


def useful_flops(backbone: str, rank: int = 1, width: int = 256) -> float:
    """FLOPs of a point, forward and backward, without those of materialising weights.

    Forward once, backward twice, except for the gradient of the coordinates.
    """
    hidden = 2 * width * width if backbone != "low-rank" else 4 * rank * width
    ends = 3 * width + width
    return 2.0 * (3 * (hidden + ends) - 3 * width)


def training(report: Report) -> None:
    """Occupancy training of each backbone, against the limit, the baseline and each other."""
    volume = open_source(example("rook"), grid=256).content
    task = OccupancyTask(volume)
    backbones = {"full": None, "sine-low-rank": 1, "low-rank": 1, "low-rank-20": 20}
    ours = {
        name: Steps(task, shape("mesh", backbone=name.removesuffix("-20"), rank=rank))
        for name, rank in backbones.items()
    }
    solid = torch.from_numpy(volume.dense())
    baselines = {name: plain.ShapeTraining(solid, name, POINTS) for name in list(ours)[:3]}
    times: dict[str, list[float]] = {name: [] for name in ours}

    def run(name: str):
        return lambda: times[name].append(ours[name]())

    calls = [limit(), *(b.step for b in baselines.values()), *(run(name) for name in ours)]
    measured = seconds(*calls)
    times = {name: own[1:] for name, own in times.items()}
    limits = [LIMIT_FLOPS / t for t in measured[0]]
    report.add("limit_bf16_product", "GFLOP/s", *_scaled(limits, 1e-9))
    for name, own in times.items():
        report.add(f"training_{name}_step", "ms", *_scaled(own, 1e3))
    for name in ("full", "sine-low-rank"):
        rates = [useful_flops(name) * POINTS / t for t in times[name]]
        share, spread = ratio(rates, limits)
        report.add(f"training_{name}_of_limit", "%", 100 * share, 100 * spread, at_least=45.0)
    for index, name in enumerate(baselines):
        gain = ratio(measured[1 + index], times[name])
        report.add(f"training_{name}_against_plain", "x", *gain)
    sine, low = (ratio(times[name], times["full"]) for name in ("sine-low-rank", "low-rank-20"))
    report.add("training_sine_time_of_full", "x", *sine, at_most=1.15)
    report.add("training_low_rank_20_time_of_full", "x", *low, at_most=1.0)


def photos(report: Report) -> None:
    """Radiance training of each backbone without a grid: samples per second, against plain."""
    task = make_task(open_source(example("windmill")), FitOptions().settled())
    names = {"full": None, "sine-low-rank": 5, "low-rank": 5}
    ours = {
        name: Steps(task, shape("photos", backbone=name, rank=rank, encoding="frequency"))
        for name, rank in names.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in ours}

    def run(name: str):
        def call() -> None:
            state = ours[name].state
            samples, seconds = state.samples, state.seconds
            ours[name]()
            rates[name].append((state.samples - samples) / (state.seconds - seconds))

        return call

    baseline = plain.RayTraining(width=128, depth=4, rays=512, samples=64)
    measured = seconds(baseline.step, *(run(name) for name in ours), rounds=5)
    plain_rates = [512 * 64 / t for t in measured[0]]
    for name, own in rates.items():
        report.add(f"photos_4x128_{name}_samples", "k/s", *_scaled(own[1:], 1e-3))
        report.add(f"photos_4x128_{name}_against_plain", "x", *ratio(own[1:], plain_rates))


def encodings(report: Report) -> None:
    """Grid encodings, forward and backward, against torch's grid sampler."""
    points = torch.rand(32768, 3) * 2.0 - 1.0
    config = DenseGrid()
    tables = [
        torch.randn(1, config.num_channels, n, n, n, requires_grad=True) for n in config.resolutions
    ]
    dense, hashed = (c.build(3, torch.Generator().manual_seed(0)) for c in (config, HashGrid()))

    def backward(encoding):
        def call() -> None:
            encoding(points).sum().backward()

        return call

    # The grid used for photos, evaluated as in training: by compiled loops if Numba is installed.
    fine = HashGrid(finest=1024, log2_table_size=18).build(3, torch.Generator().manual_seed(0))
    times = seconds(
        lambda: plain.read_grids(tables, points).sum().backward(),
        backward(dense),
        backward(hashed),
        backward(fine),
        backward(partial(encode, fine)),
    )
    report.add("encoding_dense_grid_32768_points", "ms", *_scaled(times[1], 1e3))
    report.add("encoding_dense_grid_against_grid_sample", "x", *ratio(times[0], times[1]))
    report.add("encoding_hash_grid_32768_points", "ms", *_scaled(times[2], 1e3))
    report.add("encoding_of_photos_32768_points", "ms", *_scaled(times[4], 1e3))
    report.add("encoding_of_photos_against_torch", "x", *ratio(times[3], times[4]))


def _scaled(values: list[float], factor: float) -> tuple[float, float]:
    median, spread = summary(values)
    return median * factor, spread * factor


SECTIONS = {
    "training": training,
    "photos": photos,
    "newton": newton,
    "encodings": encodings,
    "growth": growth,
    "rendering": rendering,
    "extraction": extraction,
    "codec": coding,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--only", choices=SECTIONS)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    for name, section in SECTIONS.items():
        if arguments.only in (None, name):
            section(report)
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    run_script(main)
