"""Rate-distortion curves: what each stored byte or parameter buys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from fieldlr.errors import FieldlrError
from fieldlr.system.registry import nearest

# What a study measures; curves of other origin may have rates in other units (`RATES`).
Rate = Literal["bytes", "params"]
# Rates by name, in words.
RATES = {
    "bytes": "bytes",
    "params": "stored parameters",
    "bpp": "bits per pixel",
    "kbps": "kilobits per second",
    "rate": "rate, in the unit of its file",
}
# Figures by name: in dB, or shares of 1 that are perfect at 1.
DECIBELS = ("psnr_db", "psnr_y_db")
SHARES = ("iou", "ms_ssim", "ssim")
MEASURES = (*DECIBELS, *SHARES)
MOST_RATE = 1 << 63


@dataclass(frozen=True)
class RDPoint:
    """The rate and quality of one fit. Fits of one `point` differ only in the seed."""

    point: str
    num_bytes: float | None
    num_parameters: float | None  # None for what is no network
    figure: float  # PSNR in dB, or IoU
    seed: int
    file: str = ""  # what was decoded for it, seen from the folder of the curve's file
    other_rates: dict[str, float] = field(default_factory=dict)  # by their name in RATES

    @property
    def rates(self) -> dict[str, float]:
        """What it costs, by the names in RATES."""
        own = {"bytes": self.num_bytes, "params": self.num_parameters} | self.other_rates
        return {name: value for name, value in own.items() if value is not None}


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
    measure: str  # what `figure` is: one of MEASURES
    points: tuple[RDPoint, ...]
    description: str = ""
    config: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"RDCurve {self.name}: {len(self.points)} points, {self.measure}"

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise FieldlrError(
                f"a curve measures {' or '.join(MEASURES)}; {self.name} has {self.measure}."
            )
        for point in self.points:
            rates = point.rates
            sound = rates and all(0 < rate < MOST_RATE for rate in rates.values())
            in_range = math.isfinite(point.figure) and (
                self.measure in DECIBELS or 0.0 <= point.figure <= 1.0
            )
            if not (sound and in_range):
                costs = ", ".join(f"{rate:g} {name}" for name, rate in rates.items()) or "no rate"
                raise FieldlrError(
                    f"{self.name}: {point.point} has {costs} and {self.measure} {point.figure}. A "
                    "rate is above 0 and a quality a number. Measure it again."
                )
        ordered = sorted(self.points, key=lambda p: (*p.rates.values(), p.seed))
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

    @property
    def rates(self) -> tuple[str, ...]:
        """The names of the rates that all its points have."""
        return tuple(name for name in RATES if all(name in p.rates for p in self.points))

    def has(self, rate: str) -> bool:
        """Whether all its points have such a rate."""
        return all(rate in point.rates for point in self.points)

    def log_rate(self, point: RDPoint, rate: str) -> float:
        """log10 of what a point costs; FieldlrError where it has no such rate."""
        if rate in point.rates:
            return math.log10(point.rates[rate])
        if rate == "params":
            raise FieldlrError(
                f"{self.name} is not a network and has no parameters. Compare by bytes: `rate` "
                "bytes."
            )
        raise FieldlrError(
            f"{self.name} has no rate in {RATES.get(rate, rate)}; it has {_listed(self.rates)}. "
            "Choose another `rate`."
        )

    def quality(self, point: RDPoint) -> float:
        """dB: the PSNR, or -10 log10(1 - v) of a share v, which does not saturate at 1."""
        if self.measure in DECIBELS:
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

    def front(self, rate: str) -> tuple[list[RatePoint], list[RatePoint]]:
        """(its Pareto front, what is not on it), cheapest first, seeds averaged.

        A point is not on the front if another has at most its rate and at least its quality.
        """
        points = list(self._rate_points(rate))
        rates, qualities = np.array([[s.rate, s.quality] for s in points]).reshape(-1, 2).T
        kept = on_front(rates, qualities).tolist()
        return [points[i] for i in kept], [s for i, s in enumerate(points) if i not in kept]

    def _rate_points(self, rate: str) -> Iterator[RatePoint]:
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


def shared_rate(curves: Sequence[RDCurve], rate: str | None = None) -> str:
    """The rate that curves are compared by: the one that is asked for, else the first they share.

    Bytes come first. FieldlrError where one of them has no such rate, or they share none.
    """
    if rate is not None:
        if rate not in RATES:
            raise FieldlrError(f"there is no `rate` {rate}. {nearest(rate, RATES)}")
        for curve in curves:
            for point in curve.points:
                curve.log_rate(point, rate)
        return rate
    for name in RATES:
        if all(curve.has(name) for curve in curves):
            return name
    have = "; ".join(f"{curve.name} has {_listed(curve.rates)}" for curve in curves)
    raise FieldlrError(f"the curves share no rate: {have}. Give both in one unit.")


def _listed(rates: Sequence[str]) -> str:
    return ", ".join(rates) or "none that all its points have"
