"""Rate-distortion curves, and their JSON files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from fieldlr.errors import FieldlrError
from fieldlr.system.files import replacing
from fieldlr.system.version import __version__

Rate = Literal["bytes", "params"]
MEASURES = ("psnr_db", "iou")


@dataclass(frozen=True)
class RDPoint:
    """The rate and quality of one fit. Fits of one `point` differ only in the seed."""

    point: str
    num_bytes: int
    num_parameters: int | None  # None if not a network
    figure: float  # PSNR in dB, or IoU
    seed: int
    file: str = ""  # the decoded file, relative to the folder of the curve's file

    def rate(self, rate: Rate) -> int | None:
        return self.num_bytes if rate == "bytes" else self.num_parameters


@dataclass(frozen=True)
class RatePoint:
    """A rate-distortion point: the fits of one label, averaged over seeds."""

    label: str
    fits: tuple[RDPoint, ...]
    rate: float  # the geometric mean
    quality: float  # dB


@dataclass(frozen=True)
class RDCurve:
    """Fits of one method at several rates, smallest first."""

    name: str
    measure: str  # of `figure`: psnr_db or iou
    points: tuple[RDPoint, ...]
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"RDCurve {self.name}: {len(self.points)} points, {self.measure}"

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise FieldlrError(
                f"a curve's measure is psnr_db or iou; {self.name} has {self.measure}."
            )
        for point in self.points:
            rates = (point.num_bytes, 1 if point.num_parameters is None else point.num_parameters)
            sound = all(0 < rate < 1 << 63 for rate in rates)
            in_range = math.isfinite(point.figure) and (
                self.measure == "psnr_db" or 0.0 <= point.figure <= 1.0
            )
            if not (sound and in_range):
                raise FieldlrError(
                    f"{self.name}: {point.point} has {point.num_bytes} bytes, "
                    f"{point.num_parameters} parameters and {self.measure} {point.figure}. Rates "
                    "must be positive and qualities finite. Measure it again."
                )
        ordered = sorted(self.points, key=lambda p: (p.num_bytes, p.num_parameters or 0, p.seed))
        object.__setattr__(self, "points", tuple(ordered))

    @property
    def file_name(self) -> str:
        """The name of its JSON file: in lower-case letters, digits and dashes."""
        words = "".join(c if c.isalnum() or c in "-." else " " for c in self.name.lower())
        return f"{'-'.join(words.split()) or 'curve'}.json"

    @property
    def only_bits(self) -> float | None:
        """The bits per parameter of a curve that is a part of one over several."""
        return self.config.get("only_bits")

    @property
    def is_context(self) -> bool:
        """Whether it is for reference only, because it measures something else."""
        return bool(self.config.get("context"))

    @property
    def is_exact(self) -> bool:
        """Whether it is lossless, and so above every other curve at any rate."""
        perfect = all(point.figure == 1.0 for point in self.points)
        return self.measure == "iou" and bool(self.points) and perfect

    def has(self, rate: Rate) -> bool:
        """Whether all its points have this rate."""
        return all(point.rate(rate) is not None for point in self.points)

    def log_rate(self, point: RDPoint, rate: Rate) -> float:
        """log10 of a point's rate; raises FieldlrError if it has no such rate."""
        own = point.rate(rate)
        if own is None:
            raise FieldlrError(
                f"{self.name} is not a network and has no parameters. Compare by bytes: `rate` "
                "bytes."
            )
        return math.log10(own)

    def quality(self, point: RDPoint) -> float:
        """The quality in dB: PSNR, or -10 log10(1 - IoU), which does not saturate at 1."""
        if self.measure == "psnr_db":
            return point.figure
        return -10.0 * math.log10(max(1.0 - point.figure, 1e-9))

    def named(self, label: str) -> str:
        """A point's display name: `low-rank k=5`, or `full` for the only point of `full`."""
        return label if label.startswith(self.name) else f"{self.name} {label}"

    def groups(self) -> Iterator[tuple[str, list[RDPoint]]]:
        """(label, its fits), smallest first."""
        labels = dict.fromkeys(point.point for point in self.points)
        for label in labels:
            yield label, [point for point in self.points if point.point == label]

    def front(self, rate: Rate) -> tuple[list[RatePoint], list[RatePoint]]:
        """(the Pareto front, the other points), smallest rate first, averaged over seeds.

        A point is not on the front if another has at most its rate and at least its quality.
        """
        points = list(self._rate_points(rate))
        rates, qualities = np.array([[s.rate, s.quality] for s in points]).reshape(-1, 2).T
        kept = on_front(rates, qualities).tolist()
        return [points[i] for i in kept], [s for i, s in enumerate(points) if i not in kept]

    def _rate_points(self, rate: Rate) -> Iterator[RatePoint]:
        for label, fits in self.groups():
            mean_log = sum(self.log_rate(p, rate) for p in fits) / len(fits)
            quality = sum(self.quality(p) for p in fits) / len(fits)
            yield RatePoint(label, tuple(fits), 10.0**mean_log, quality)


def on_front(
    rates: Float[np.ndarray, " n"], qualities: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " front"]:
    """Indices of the Pareto front, smallest rate first."""
    order = np.lexsort([-qualities, rates])
    sorted_qualities = qualities[order]
    best_before = np.maximum.accumulate(np.append(-np.inf, sorted_qualities))[:-1]
    return order[sorted_qualities > best_before]


def write_curve(curve: RDCurve, path: Path) -> None:
    """Writes a result JSON in the format of CompressAI's tools: lists of equal length."""
    columns = {
        "point": [p.point for p in curve.points],
        "bytes": [p.num_bytes for p in curve.points],
        "params": [p.num_parameters for p in curve.points],
        curve.measure: [p.figure for p in curve.points],
        "seed": [p.seed for p in curve.points],
    }
    if any(p.file for p in curve.points):
        columns["file"] = [p.file for p in curve.points]
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
    """Reads a file of `write_curve`; raises FieldlrError for anything else."""
    try:
        content = json.loads(Path(path).read_text())
        columns = content["results"]
        (measure,) = [name for name in MEASURES if name in columns]
        names = ("point", "bytes", "params", measure, "seed")
        files = columns.get("file", [""] * len(columns["point"]))
        rows = list(zip(*(columns[name] for name in names), files, strict=True))
        points = [
            RDPoint(
                str(label),
                int(size),
                None if numbers is None else int(numbers),
                float(figure),
                int(seed),
                str(file),
            )
            for label, size, numbers, figure, seed, file in rows
        ]
        about = str(content.get("description", "")), dict(content.get("config") or {})
        return RDCurve(str(content["name"]), measure, tuple(points), *about)
    except OSError as error:
        raise FieldlrError(
            f"{path} cannot be read: {error.strerror}. Pass a curve's .json."
        ) from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise FieldlrError(
            f"{path} is not a valid curve ({type(error).__name__}: {error}). A curve is JSON with "
            "`name` and `results`: lists of equal length named point, bytes, params, seed, and "
            "psnr_db or iou."
        ) from None
