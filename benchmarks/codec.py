"""Encoding and decoding times of .flr files, with `constriction` and in pure Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from unittest.mock import patch

import torch

from benchmarks.measure import Report, ratio, seconds, summary
from fieldlr import codec
from fieldlr.codec import ans
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.nn.linears import SineLowRank


def coding(report: Report) -> None:
    """Seconds, with the package and without, for 22,273 and 132,865 parameters."""
    shape = FieldConfig()
    for name, config in {
        "22273": dataclasses.replace(shape, linear=SineLowRank(20)),
        "132865": shape,
    }.items():
        space = Space("box", Aabb((-1.0,) * 3, (1.0,) * 3))
        field = OccupancyField(config, space, generator=torch.Generator().manual_seed(0))
        data = codec.encode(field)
        most = (1.0, 0.1) if name == "22273" else (None, None)
        calls = {
            "encode": lambda field=field: codec.encode(field),
            "decode": lambda data=data: codec.decode(data),
        }
        for (verb, work), goal in zip(calls.items(), most, strict=True):
            fast, plain = seconds(work, without_constriction(work))
            line = f"codec_{verb}_{name}_numbers"
            report.add(line, "s", *summary(fast), at_most=goal)
            report.add(f"{line}_plain", "s", *summary(plain), at_most=goal)
            report.add(f"{line}_plain_against_it", "x", *ratio(plain, fast))


def without_constriction(work: Callable[[], object]) -> Callable[[], object]:
    """The same work without the package."""

    def plain() -> None:
        with patch.object(ans, "has_constriction", return_value=False):
            work()

    return plain
