"""Rate-distortion curves: what each stored byte or number buys, and their file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fieldlr import __version__
from fieldlr.errors import FieldlrError
from fieldlr.files import replacing

Rate = Literal["bytes", "params"]
MEASURES = ("psnr_db", "iou")


@dataclass(frozen=True)
class RDPoint:
    """One fit: what it costs and what it is worth. Fits of one `point` differ in the seed alone."""

    point: str
    num_bytes: int
    num_parameters: int
    figure: float  # PSNR in dB, or IoU
    seed: int

    def rate(self, rate: Rate) -> int:
        return self.num_bytes if rate == "bytes" else self.num_parameters


@dataclass(frozen=True)
class RDCurve:
    """Fits of one kind at several rates, cheapest first."""

    name: str
    measure: str  # what `figure` is: psnr_db or iou
    points: tuple[RDPoint, ...]
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.measure not in MEASURES:
            raise FieldlrError(f"a curve measures psnr_db or iou; {self.name} has {self.measure}.")
        for point in self.points:
            sound = all(0 < rate < 1 << 63 for rate in (point.num_bytes, point.num_parameters))
            in_range = math.isfinite(point.figure) and (
                self.measure == "psnr_db" or 0.0 <= point.figure <= 1.0
            )
            if not (sound and in_range):
                raise FieldlrError(
                    f"{self.name}: {point.point} has {point.num_bytes} bytes, "
                    f"{point.num_parameters} parameters and {self.measure} {point.figure}. A rate "
                    "is above 0 and a quality a number. Measure it again."
                )
        ordered = sorted(self.points, key=lambda p: (p.num_bytes, p.num_parameters, p.seed))
        object.__setattr__(self, "points", tuple(ordered))

    def quality(self, point: RDPoint) -> float:
        """dB: the PSNR, or -10 log10(1 - IoU), which does not saturate at 1."""
        if self.measure == "psnr_db":
            return point.figure
        return -10.0 * math.log10(max(1.0 - point.figure, 1e-9))

    def groups(self) -> Iterator[tuple[str, list[RDPoint]]]:
        """(label, its fits), cheapest first."""
        labels = dict.fromkeys(point.point for point in self.points)
        for label in labels:
            yield label, [point for point in self.points if point.point == label]


def write_curve(curve: RDCurve, path: Path) -> None:
    """A result in the shape that CompressAI's tools read: lists of equal length."""
    columns = {
        "point": [p.point for p in curve.points],
        "bytes": [p.num_bytes for p in curve.points],
        "params": [p.num_parameters for p in curve.points],
        curve.measure: [p.figure for p in curve.points],
        "seed": [p.seed for p in curve.points],
    }
    content = {
        "name": curve.name,
        "description": curve.description,
        "results": columns,
        "config": curve.config,
        "version": __version__,
    }
    with replacing(path) as place:
        place.write_text(json.dumps(content, indent=1))


def read_curve(path: Path) -> RDCurve:
    """What `write_curve` wrote; FieldlrError names what is wrong with anything else."""
    try:
        content = json.loads(Path(path).read_text())
        columns = content["results"]
        (measure,) = [name for name in MEASURES if name in columns]
        names = ("point", "bytes", "params", measure, "seed")
        rows = list(zip(*(columns[name] for name in names), strict=True))
        points = [
            RDPoint(str(label), int(size), int(numbers), float(figure), int(seed))
            for label, size, numbers, figure, seed in rows
        ]
        about = str(content.get("description", "")), dict(content.get("config") or {})
        return RDCurve(str(content["name"]), measure, tuple(points), *about)
    except OSError as error:
        raise FieldlrError(
            f"{path} cannot be read: {error.strerror}. Give a curve's .json."
        ) from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FieldlrError(
            f"{path} is not a curve ({type(error).__name__}: {error}). A curve is JSON with `name` "
            "and `results`: lists of equal length named point, bytes, params, seed, and psnr_db or "
            "iou."
        ) from None
