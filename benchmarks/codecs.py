"""Encode and decode times of other codecs of shapes, and of a field file, at about one quality.

    python -m benchmarks.codecs SOURCE --curves PREFIX [--iou 0.95] [--field FILE.flr]

PREFIX is that of the curves that `studies/baselines.py` wrote for the source. Each codec is timed
at the setting of its smallest file with at least that IoU, from the voxels to the file and back to
the voxels. A field is trained, not encoded, so only its decoding is timed.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fieldlr
from benchmarks.measure import machine, ratio, seconds, summary
from fieldlr.data import open_source
from fieldlr.data.volume import OccupancyVolume
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve_file import read_curve
from fieldlr.study.baselines import block_grid, distance_field, draco_mesh, lossless
from fieldlr.study.baselines.packers import Packer, packers
from fieldlr.surface.cleaning import decimate
from fieldlr.system.script import run_script
from fieldlr.training.tasks import OccupancyTask


@dataclass(frozen=True)
class Way:
    """A codec: its curve's name, all its settings, and how it encodes and decodes."""

    name: str
    settings: list[Any]
    encode: Callable[[OccupancyVolume, Any], bytes]
    decode: Callable[[bytes, OccupancyVolume, Any], np.ndarray]


def ways() -> list[Way]:
    draco = itertools.product(draco_mesh.FACES, range(4, 17), draco_mesh.SMOOTHINGS)
    blocks = itertools.product(block_grid.BLOCKS, block_grid.LEVELS)
    return [
        Way(
            "Draco mesh",
            [draco_mesh.DracoSetting(*one) for one in draco],
            lambda volume, own: draco_mesh.encode(
                decimate(draco_mesh.voxel_surface(volume, own.smoothing), own.num_faces), own.bits
            ),
            lambda data, volume, own: draco_mesh.decode(data, volume.shape),
        ),
        Way(
            "block grid",
            [block_grid.BlockSetting(*one) for one in blocks],
            lambda volume, own: block_grid.encode(volume.dense(), own),
            lambda data, volume, own: block_grid.decode(data),
        ),
        *(_of_distances(packer) for packer in packers()),
        Way(
            "lossless bits",
            [lossless.LosslessSetting(name) for name in lossless.PACKERS],
            lambda volume, own: lossless.encode(volume.dense(), own),
            lambda data, volume, own: lossless.decode(data, own),
        ),
    ]


def _of_distances(packer: Packer) -> Way:
    settings = itertools.product(
        distance_field.FACTORS, distance_field.CLIPS, range(len(packer.qualities))
    )

    def encode(volume: OccupancyVolume, own: distance_field.DistanceSetting) -> bytes:
        coarse = distance_field.CoarseDistances(volume)
        return distance_field.DistanceField(packer, coarse).encode(own)[0]

    return Way(
        f"{packer.name} distances",
        [distance_field.DistanceSetting(*one) for one in settings],
        encode,
        lambda data, volume, own: distance_field.decode(data, packer),
    )


def chosen(way: Way, curve: Path, least: float) -> Any:
    """The setting of the smallest file of a curve with at least that IoU; None if there is none."""
    if not curve.exists():
        return None
    points = [one for one in read_curve(curve).points if one.figure >= least]
    if not points:
        return None
    label = min(points, key=lambda one: one.num_bytes).point
    return next(one for one in way.settings if one.label == label)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--iou", type=float, default=0.95)
    parser.add_argument("--field", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    volume = open_source(words.source).content
    if not isinstance(volume, OccupancyVolume):
        raise FieldlrError(f"codecs of shapes want a mesh or a volume; {words.source} is neither.")
    calls: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {}
    sizes: dict[str, str] = {}
    for way in ways():
        slug = way.name.lower().replace(" ", "-")
        own = chosen(way, words.curves.with_name(f"{words.curves.name}-{slug}.json"), words.iou)
        if own is None:
            continue
        data = way.encode(volume, own)
        sizes[way.name] = f"{len(data):,} bytes, {own.label}"
        calls[way.name] = (
            lambda way=way, own=own: way.encode(volume, own),
            lambda way=way, own=own, data=data: way.decode(data, volume, own),
        )
    if words.field:
        task = OccupancyTask(volume)
        sizes["field"] = f"{words.field.stat().st_size:,} bytes"
        calls["field"] = (lambda: None, lambda: task.evaluate(fieldlr.load(words.field)))
    if not calls:
        raise FieldlrError(f"there are no curves {words.curves}-*.json with IoU {words.iou}.")
    print(machine())
    each = seconds(*(call for pair in calls.values() for call in pair), rounds=words.rounds)
    first = each[1]
    for i, name in enumerate(calls):
        encoding, decoding = each[2 * i], each[2 * i + 1]
        encoded = "trained" if name == "field" else "{:.3g} +-{:.2g} s".format(*summary(encoding))
        print(
            f"{name}: {sizes[name]}; encode {encoded}, decode "
            "{:.3g} +-{:.2g} s, {:.2g} +-{:.2g} x that of {}".format(
                *summary(decoding), *ratio(decoding, first), next(iter(calls))
            )
        )


if __name__ == "__main__":
    run_script(main)
