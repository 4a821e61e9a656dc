"""Comparison of quantisers on a fitted shape, without fine-tuning: bytes and loss of IoU.

    python studies/quantisation.py RUN [--bits 8,6,5,4] [--voxels 524288]

The quantisation step of each tensor is chosen by its sensitivity (as in the codec), by its spread,
or by its largest value; k-means has its own levels for each tensor, as many as given by `bits` or
by the entropy of the sensitivity-based quantiser, each stored in 16 bits. The last column is the
size without the canonical order and signs of units. IoU is on a fixed sample of voxels.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from fieldlr import codec
from fieldlr.codec import bit_allocation, quantisation
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.runs import open_run
from fieldlr.runs.pipeline import reopen
from fieldlr.system.script import run_script
from fieldlr.training.tasks.occupancy import field_signs

LLOYD_ROUNDS, LEVEL_BYTES, HEAD_BYTES = 40, 2, 60


class IouEvaluator:
    """Computes the IoU of a field with other parameters, on a sample of voxels."""

    def __init__(self, field: OccupancyField, volume, voxels: int):
        self.field = field
        self.kept = [p.detach().clone() for p in field.parameters()]
        chosen = torch.randint(
            volume.num_voxels, (voxels,), generator=torch.Generator().manual_seed(0)
        )
        self.points, self.truth = volume.centers(chosen), volume.occupied(chosen)

    @torch.no_grad()
    def iou(self, parameters) -> float:
        for parameter, values in zip(self.field.parameters(), parameters, strict=True):
            parameter.copy_(values)
        inside = torch.cat([field_signs(self.field, p) for p in self.points.split(1 << 17)])
        for parameter, values in zip(self.field.parameters(), self.kept, strict=True):
            parameter.copy_(values)
        return float((inside & self.truth).sum() / (inside | self.truth).sum())


def k_means(values: np.ndarray, levels: int) -> tuple[np.ndarray, float]:
    """(values quantised by k-means (Lloyd 1982), bytes of indices and levels)."""
    flat = values.ravel()
    centres = np.unique(np.quantile(flat, (np.arange(levels) + 0.5) / levels))
    for _ in range(LLOYD_ROUNDS):
        index = np.searchsorted((centres[1:] + centres[:-1]) / 2, flat)
        counts = np.bincount(index, minlength=len(centres))
        sums = np.bincount(index, flat, minlength=len(centres))
        centres = np.sort(np.where(counts > 0, sums / np.maximum(counts, 1), centres))
    index = np.searchsorted((centres[1:] + centres[:-1]) / 2, flat)
    return centres[index].reshape(values.shape), entropy(index) / 8 + LEVEL_BYTES * len(centres)


def entropy(integers: np.ndarray) -> float:
    """The total empirical entropy of integers, in bits."""
    counts = np.unique(integers, return_counts=True)[1]
    return float(counts @ (np.log2(integers.size) - np.log2(counts)))


def quantisers(
    field: OccupancyField, bits: float
) -> Iterator[tuple[str, float, list, float | None]]:
    """(name, bytes, parameters, bytes without the order of units) of each quantiser."""
    named = dict(field.named_parameters())
    chosen = bit_allocation.quantisation_steps(field, bits)
    largest = {n: 2.0 * float(p.detach().abs().max()) / 2.0**bits for n, p in named.items()}
    spread = {
        n: 3.5 * float(p.detach().square().mean().sqrt()) / 2.0**bits for n, p in named.items()
    }
    ways = {
        "by sensitivity": chosen,
        "by spread": {n: quantisation.nearest_step(step) for n, step in spread.items()},
        "by the largest": {n: quantisation.nearest_step(step) for n, step in largest.items()},
    }
    for name, own in ways.items():
        integers = {n: quantisation.quantise(p, own[n]) for n, p in named.items()}
        parameters = [quantisation.dequantise(values, own[n]) for n, values in integers.items()]
        plain = sum(entropy(values) for values in integers.values()) / 8 + HEAD_BYTES
        yield name, len(codec.encode(field, steps=own)), parameters, plain
    integers = {n: quantisation.quantise(p, chosen[n]) for n, p in named.items()}
    levels = {
        "k-means": dict.fromkeys(named, round(2**bits)),
        "k-means, levels by sensitivity": {
            n: max(2, round(2 ** (entropy(v) / v.size))) for n, v in integers.items()
        },
    }
    for name, own in levels.items():
        moved = [k_means(p.detach().double().numpy(), own[n]) for n, p in named.items()]
        parameters = [torch.from_numpy(values).float() for values, _ in moved]
        yield name, sum(size for _, size in moved) + HEAD_BYTES, parameters, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--bits", default="8,6,5,4")
    parser.add_argument("--voxels", type=int, default=1 << 19)
    words = parser.parse_args()
    run = open_run(words.run)
    field = run.load_field()
    evaluator = IouEvaluator(field, reopen(run).volume, words.voxels)
    original = evaluator.iou(evaluator.kept)
    print(
        f"{words.run.name}: {field.num_parameters:,} parameters, IoU {original:.4f} before",
        flush=True,
    )
    for bits in map(float, words.bits.split(",")):
        for name, num_bytes, parameters, plain in quantisers(field, bits):
            loss = 100.0 * (original - evaluator.iou(parameters))
            tail = "" if plain is None else f"  {plain:7.0f} bytes unordered"
            print(
                f"{bits:4g} bits  {name:32} {num_bytes:7.0f} bytes  IoU {-loss:+7.3f} %{tail}",
                flush=True,
            )


if __name__ == "__main__":
    run_script(main)
