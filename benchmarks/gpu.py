"""GPU benchmarks and goals, with real data in $FIELDLR_DATA.

    python -m benchmarks.gpu [--out gpu.json]

Lego at 400 x 400 after 60 s of training, the original NeRF's 8 x 256 networks against the GPU's
speed for a bfloat16 product of the same shape, a sweep of ranks trained concurrently against
sequentially, and the gains of tiny-cuda-nn and CUDA graphs. Without a GPU it lists the goals as not
run and exits with code 2.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NoReturn

import torch
from torch import Tensor

from benchmarks.measure import Report, machine, ratio, seconds, summary
from benchmarks.quality import STATUE, Case, run
from benchmarks.steps import Steps
from fieldlr.data import open_source
from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings import HashGrid
from fieldlr.nn.execution import RecordedLoss, encode, run_layers, tinycudann
from fieldlr.nn.trial import relu_layers
from fieldlr.system.script import run_script
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config, make_task
from fieldlr.training.state import FitState, start_fit
from fieldlr.training.tasks.cross_entropy import mean_cross_entropy

ROWS, WIDTH, REPEATS, ROUNDS = 1 << 18, 256, 50, 7
CUDA = torch.device("cuda")
SWEEP = [("full", None), *((b, k) for b in ("low-rank", "sine-low-rank") for k in (1, 5, 20))]
SWEEP_STEPS = 500
# name -> (unit, at least)
GOALS = {
    "gpu_nerf_8x256_of_product": ("%", 40.0),
    "gpu_lego_400_60s": ("dB", 30.0),
    "gpu_sweep_together_against_in_turn": ("x", 1.0),
}


def product_rate() -> list[float]:
    """FLOP/s of a bfloat16 product (ROWS, WIDTH) by (WIDTH, WIDTH), per round."""
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
    """Useful FLOP/s of training the paper's NeRF on fern, per round.

    A sample takes two FLOPs forward and four backward per weight.
    """
    source = open_source(folder / "scenes/fern")
    options = FitOptions.of(preset="paper").settled()
    steps = Steps(make_task(source, options), field_config(options, source.kind), device=CUDA)
    field = steps.state.field
    # The coarse network gets a third of the samples and has the size of the fine one.
    weights = field.num_parameters / len(field.networks)
    rates = []
    for _ in range(ROUNDS + 1):
        samples, seconds = steps.state.samples, steps.state.seconds
        steps()
        done = 6.0 * weights * (steps.state.samples - samples)
        rates.append(done / (steps.state.seconds - seconds))
    return rates[1:]


def sweep_states(path: Path, sweep=SWEEP, device=CUDA) -> list[FitState]:
    """A new shape fit for each backbone and rank."""
    source, states = open_source(path), []
    for backbone, rank in sweep:
        options = FitOptions.of(backbone=backbone, rank=rank).settled()
        task, config = make_task(source, options), field_config(options, source.kind)
        states.append(start_fit(task, config, 0, device))
    return states


def advance(state: FitState, steps: int) -> None:
    """Runs a number of steps of a fit; on a GPU in its own stream."""
    stream = torch.cuda.Stream() if state.device.type == "cuda" else None
    with nullcontext() if stream is None else torch.cuda.stream(stream):
        for _ in fit(state, FitConfig(steps=state.step + steps)):
            pass
    if stream is not None:
        stream.synchronize()


def train_in_turn(states: list[FitState], steps: int) -> None:
    for state in states:
        advance(state, steps)


def train_together(states: list[FitState], steps: int) -> None:
    """All fits concurrently, a thread each: while one waits for the GPU the others launch."""
    with ThreadPoolExecutor(len(states)) as pool:
        list(pool.map(lambda state: advance(state, steps), states))


def sweep_gain(path: Path) -> float:
    """Speed-up of a concurrent sweep over a sequential one, after a warm-up step."""
    taken = []
    for train in (train_in_turn, train_together):
        states = sweep_states(path)
        train_in_turn(states, 1)
        began = perf_counter()
        train(states, SWEEP_STEPS)
        taken.append(perf_counter() - began)
    return taken[0] / taken[1]


def passes(function: Callable[[], Tensor], tensors: list[Tensor]) -> Callable[[], None]:
    """A call that runs REPEATS forward and backward passes."""

    def call() -> None:
        for _ in range(REPEATS):
            torch.autograd.grad(function().sum(), tensors)
        torch.cuda.synchronize()

    return call


def add_gains(report: Report, path: Path) -> None:
    """Speed-ups of optional backends over plain torch, forward and backward."""

    def add(name: str, plain: Callable, better: Callable) -> None:
        report.add(name, "x", *ratio(*seconds(plain, better, rounds=ROUNDS)))

    state = sweep_states(path, [("full", None)])[0]
    inputs = state.task.batch(state.field, state.generator, state.task.settings.points_per_step)
    loss, stored = partial(mean_cross_entropy, state.field), list(state.field.parameters())
    recorded = RecordedLoss(loss, stored)
    ways = (passes(partial(way, *inputs), stored) for way in (loss, recorded))
    add("gpu_recorded_pass_against_plain", *ways)
    if tinycudann.reason_against() is not None:
        print(f"tiny-cuda-nn is not used: {tinycudann.reason_against()}")
        return
    points = torch.rand(ROWS, 3, device=CUDA) * 2.0 - 1.0
    grid = HashGrid().build(3).to(CUDA)
    ways = (passes(partial(way, points), [grid.table]) for way in (grid, partial(encode, grid)))
    add("gpu_tinycudann_hash_grid_against_torch", *ways)
    # With the constant for biases, tiny-cuda-nn takes at most 127 units; 128 run in torch.
    x, generator = torch.randn(ROWS, 32, device=CUDA), torch.Generator().manual_seed(0)
    stacks = [relu_layers([32, n, n, 16], generator, "cuda") for n in (128, 127)]
    ways = (passes(partial(run_layers, s, x), [layer.weight for layer in s]) for s in stacks)
    add("gpu_tinycudann_network_against_torch", *ways)


def not_run(why: str) -> NoReturn:
    """Prints which goals were not run; raises the reason."""
    for name, (unit, at_least) in GOALS.items():
        print(f"{name} not run, goal >= {at_least:g} {unit}")
    raise FieldlrError(f"benchmarks.gpu needs {why}; nothing was measured.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        not_run("an NVIDIA GPU that torch can use")
    if not Path(os.environ.get("FIELDLR_DATA", "")).joinpath(STATUE).exists():
        not_run("FIELDLR_DATA, the folder of the real scenes and meshes")
    folder = Path(os.environ["FIELDLR_DATA"])
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    print(torch.cuda.get_device_name())
    product, spread = summary(product_rate())
    report.add("gpu_bf16_product", "TFLOP/s", product * 1e-12, spread * 1e-12)
    rate, spread = summary(training_rate(folder))
    lego = Case("scenes/lego", FitOptions.of(seconds=60.0))
    figures = {
        "gpu_nerf_8x256_of_product": lambda: (100.0 * rate / product, 100.0 * spread / product),
        "gpu_lego_400_60s": lambda: (run(lego, folder, CUDA),),
        "gpu_sweep_together_against_in_turn": lambda: (sweep_gain(folder / STATUE),),
    }
    for name, (unit, at_least) in GOALS.items():
        report.add(name, unit, *figures[name](), at_least=at_least)
    add_gains(report, folder / STATUE)
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    run_script(main)
