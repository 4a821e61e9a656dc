"""The goals on an NVIDIA GPU, with real data in $FIELDLR_DATA.

    python -m benchmarks.gpu [--out gpu.json]

Lego at 400 x 400 after 60 s of training, and the original NeRF's 8 x 256 networks against the
card's own rate for a bfloat16 product of the same shape.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.measure import Report, machine, summary
from benchmarks.quality import Case, run
from benchmarks.steps import Steps
from fieldlr.data import open_source
from fieldlr.presets import FitOptions, field_config, make_task
from fieldlr.process import prepare_process

ROWS, WIDTH, REPEATS, ROUNDS = 1 << 18, 256, 50, 7
CUDA = torch.device("cuda")


def product_rate() -> list[float]:
    """Operations a second of a bfloat16 product (ROWS, WIDTH) by (WIDTH, WIDTH), round by round."""
    x, w = (torch.randn(n, WIDTH, device=CUDA).bfloat16() for n in (ROWS, WIDTH))
    rates = []
    for _ in range(ROUNDS + 1):
        torch.cuda.synchronize()
        began = perf_counter()
        for _ in range(REPEATS):
            x @ w
        torch.cuda.synchronize()
        rates.append(2.0 * ROWS * WIDTH * WIDTH * REPEATS / (perf_counter() - began))
    return rates[1:]


def training_rate(folder: Path) -> list[float]:
    """Useful operations a second of training the paper's NeRF on fern, round by round.

    A sample costs every weight two operations forward and four backward.
    """
    source = open_source(folder / "scenes/fern")
    options = FitOptions(preset="paper").settled()
    steps = Steps(make_task(source, options), field_config(options, source.kind), device=CUDA)
    field = steps.state.field
    # The coarse network sees a third of the samples and has the size of the fine one.
    weights = field.num_parameters / len(field.networks)
    rates = []
    for _ in range(ROUNDS + 1):
        samples, seconds = steps.state.samples, steps.state.seconds
        steps()
        done = 6.0 * weights * (steps.state.samples - samples)
        rates.append(done / (steps.state.seconds - seconds))
    return rates[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    arguments = parser.parse_args()
    folder = os.environ.get("FIELDLR_DATA")
    if not torch.cuda.is_available() or folder is None:
        raise SystemExit("this needs an NVIDIA GPU that torch can use, and FIELDLR_DATA")
    prepare_process()
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    print(torch.cuda.get_device_name())
    product, spread = summary(product_rate())
    report.add("gpu_bf16_product", "TFLOP/s", product * 1e-12, spread * 1e-12)
    training, spread = summary(training_rate(Path(folder)))
    shares = 100.0 * training / product, 100.0 * spread / product
    report.add("gpu_nerf_8x256_of_product", "%", *shares, at_least=40.0)
    lego = Case("scenes/lego", FitOptions(seconds=60.0))
    report.add("gpu_lego_400_60s", "dB", run(lego, Path(folder), CUDA), at_least=30.0)
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    main()
