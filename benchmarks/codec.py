"""The .flr file: how long encoding and decoding take."""

from __future__ import annotations

import dataclasses

import torch

from benchmarks.measure import Report, seconds, summary
from fieldlr import codec
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry import Aabb, Space
from fieldlr.linears import SineLowRank


def packing(report: Report) -> None:
    """Seconds of both directions for a field of 22,273 numbers and of 132,865."""
    shape = FieldConfig()
    for name, config in {
        "22273": dataclasses.replace(shape, linear=SineLowRank(20)),
        "132865": shape,
    }.items():
        space = Space("box", Aabb((-1.0,) * 3, (1.0,) * 3))
        field = OccupancyField(config, space, generator=torch.Generator().manual_seed(0))
        data = codec.encode(field)
        encoding, decoding = seconds(
            lambda field=field: codec.encode(field), lambda data=data: codec.decode(data)
        )
        most = (1.0, 0.1) if name == "22273" else (None, None)
        report.add(f"codec_encode_{name}_numbers", "s", *summary(encoding), at_most=most[0])
        report.add(f"codec_decode_{name}_numbers", "s", *summary(decoding), at_most=most[1])
