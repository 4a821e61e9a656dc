"""Bjontegaard deltas between rate-distortion curves, with overlap and confidence interval.

BD-rate is the mean difference of log-rate over the qualities that both curves cover, as a
percentage of rate; BD-quality the mean difference of quality over the rates that both cover
(Bjontegaard 2001, VCEG-M33; Akima's interpolation as Herglotz et al. 2024 advise).
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import Rate, RDCurve, on_front, shared_rate

Method = Literal["akima", "pchip", "cubic"]
MIN_POINTS = {"akima": 2, "pchip": 2, "cubic": 4}
MIN_OVERLAP = 0.75
RESAMPLES = 500
INTERVAL_PERCENT = (2.5, 97.5)

# log10 of rates, and qualities in dB, both ascending.
Line = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]


@dataclass(frozen=True, repr=False)
class BdFigure:
    """The BD figures of a test curve against an anchor."""

    bd_rate_percent: float  # below 0: the same quality with fewer bytes
    bd_quality_db: float  # above 0: better quality with the same bytes
    interval: tuple[float, float] | None  # 95 %, bootstrap over seeds; None with one seed
    overlap: float  # the lesser of those in quality and in rate, in [0, 1]
    method: str
    dropped: tuple[str, ...]  # points not on the Pareto front

    def __repr__(self) -> str:
        words = f"BD-rate {self.bd_rate_percent:+.2f} %"
        if self.interval is not None:
            words += " ({:+.2f} to {:+.2f} %)".format(*self.interval)
        words += f", BD-quality {self.bd_quality_db:+.3f} dB, overlap {100 * self.overlap:.0f} %"
        return f"{words}, {self.method}"


class Comparison:
    """A curve in a comparison: its Pareto front, and fronts of bootstrap resamples of seeds."""

    def __init__(self, curve: RDCurve, rate: str, method: Method, stream: int) -> None:
        self.curve, self.method, self.stream = curve, method, stream
        kept, left = curve.front(rate)
        self.dropped = [curve.named(point.label) for point in left]
        self.line: Line = (
            np.array([math.log10(point.rate) for point in kept]),
            np.array([point.quality for point in kept]),
        )
        self.fits = [
            np.array([[curve.log_rate(p, rate), curve.quality(p)] for p in point.fits])
            for point in (*kept, *left)
        ]

    def check(self) -> None:
        """Raises FieldlrError for a reference-only curve, or too few points to interpolate."""
        if self.curve.is_context or self.curve.is_exact:
            why = "is lossless" if self.curve.is_exact else "has another measure"
            raise FieldlrError(
                f"{self.curve.name} {why}: it is for reference only, without a BD figure. Compare "
                "curves of fields, meshes and grids."
            )
        count, needed = len(self.line[0]), MIN_POINTS[self.method]
        if count < needed:
            raise FieldlrError(
                f"{self.method} needs {needed} points on the Pareto front; {self.curve.name} has "
                f"{count}. Add points to the curve."
            )

    @cached_property
    def resampled(self) -> list[Line]:
        """Fronts with the seeds of every point resampled with replacement.

        Deviations from the sample mean are scaled by sqrt(n / (n - 1)) to be unbiased. A point of
        one seed uses the deviations of all others.
        """
        random = np.random.default_rng(self.stream)
        deviations = [
            (fits - fits.mean(0)) * math.sqrt(len(fits) / max(1, len(fits) - 1))
            for fits in self.fits
        ]
        known = [one for one in deviations if len(one) > 1]
        means = []
        for fits, own in zip(self.fits, deviations, strict=True):
            drawn_from = own if len(own) > 1 or not known else np.concatenate(known)
            chosen = random.integers(len(drawn_from), size=(RESAMPLES, len(fits)))
            means.append(fits.mean(0) + drawn_from[chosen].mean(1))
        lines = []
        for rates, qualities in np.stack(means, -1):
            kept = on_front(rates, qualities)
            lines.append((rates[kept], qualities[kept]))
        return lines


def bd_figure(
    anchor: RDCurve,
    test: RDCurve,
    rate: str | None = None,
    method: Method = "akima",
    force: bool = False,
) -> BdFigure:
    """BD-rate and BD-quality of `test` against `anchor`; seeds of a point are averaged first.

    `rate` is one of RATES, by default the first that both curves have, bytes before others.
    FieldlrError where the curves overlap by less than 75 %, unless `force`, or cannot be compared.
    """
    rate = shared_rate((anchor, test), rate)
    comparisons = Comparison(anchor, rate, method, 0), Comparison(test, rate, method, 1)
    return _compared(*comparisons, method, force)


def bd_table(curves: Sequence[RDCurve], rate: Rate = "bytes") -> list[dict[str, Any]]:
    """BD figures of all comparable pairs of curves, or the reason why there is none.

    Curves over several bit depths are compared with each other, and those at one number of bits per
    parameter with curves at the same.
    """
    own = [curve for curve in curves if not (curve.is_context or curve.is_exact)]
    own.sort(key=lambda curve: curve.only_bits or 0.0)
    comparisons = [Comparison(curve, rate, "akima", i) for i, curve in enumerate(own)]
    table = []
    for anchor, test in itertools.permutations(comparisons, 2):
        if anchor.curve.only_bits != test.curve.only_bits:
            continue
        row: dict[str, Any] = {"anchor": anchor.curve.name, "test": test.curve.name}
        row["dropped"] = [*anchor.dropped, *test.dropped]
        try:
            row |= dataclasses.asdict(_compared(anchor, test, "akima"))
        except FieldlrError as error:
            row["refused"] = str(error)
        table.append(row)
    return table


def _compared(
    anchor: Comparison, test: Comparison, method: Method, force: bool = False
) -> BdFigure:
    if anchor.curve.measure != test.curve.measure:
        raise FieldlrError(
            f"{anchor.curve.name} is measured in {anchor.curve.measure} and {test.curve.name} in "
            f"{test.curve.measure}. Compare curves with the same measure."
        )
    for comparison in (anchor, test):
        comparison.check()
    overlap = _overlap(anchor.line, test.line)
    if overlap <= 0.0:
        raise FieldlrError(
            f"{anchor.curve.name} and {test.curve.name} do not overlap in quality or in rate. Add "
            "points between them."
        )
    if overlap < MIN_OVERLAP and not force:
        raise FieldlrError(
            f"the curves overlap by {100 * overlap:.0f} %; below {100 * MIN_OVERLAP:.0f} % a BD "
            "figure is unreliable. Add points, or use `force`."
        )
    dropped = (*anchor.dropped, *test.dropped)
    rate_percent = _rate_percent(anchor.line, test.line, method)
    quality = _mean_gap(anchor.line, test.line, method)
    interval = _interval(anchor, test, method)
    return BdFigure(rate_percent, quality, interval, overlap, method, dropped)


def _rate_percent(anchor: Line, test: Line, method: Method) -> float:
    """BD-rate: the mean gap of log-rate over quality, as a percentage."""
    gap = _mean_gap((anchor[1], anchor[0]), (test[1], test[0]), method)
    return float(100.0 * (10.0**gap - 1.0))


def _mean_gap(anchor: Line, test: Line, method: Method) -> float:
    """Mean of test minus anchor over the common range of abscissae."""
    low, high = max(anchor[0][0], test[0][0]), min(anchor[0][-1], test[0][-1])
    return (_integral(*test, low, high, method) - _integral(*anchor, low, high, method)) / (
        high - low
    )


def _integral(x: np.ndarray, y: np.ndarray, low: float, high: float, method: Method) -> float:
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    if method == "cubic":
        whole = np.polyint(np.polyfit(x, y, 3))
        return float(np.polyval(whole, high) - np.polyval(whole, low))
    # With two points every method is linear, and Akima's formula needs three.
    smooth = Akima1DInterpolator if method == "akima" and len(x) > 2 else PchipInterpolator
    return float(smooth(x, y).integrate(low, high))


def _overlap(one: Line, other: Line) -> float:
    """The lesser overlap (intersection over union) of two curves' rate and quality ranges."""
    return min(_range_overlap(one[side], other[side]) for side in (0, 1))


def _range_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two ranges."""
    shared = min(one[-1], other[-1]) - max(one[0], other[0])
    return max(0.0, float(shared / (max(one[-1], other[-1]) - min(one[0], other[0]))))


def _interval(anchor: Comparison, test: Comparison, method: Method) -> tuple[float, float] | None:
    """95 % bootstrap interval of the BD-rate over seeds; None with one seed."""
    if all(len(fits) == 1 for comparison in (anchor, test) for fits in comparison.fits):
        return None
    figures = [
        _rate_percent(one, other, method)
        for one, other in zip(anchor.resampled, test.resampled, strict=True)
        # Skips resamples with too few points on the front, or without overlap.
        if min(len(one[0]), len(other[0])) >= MIN_POINTS[method] and _overlap(one, other) > 0.0
    ]
    if not figures:
        return None
    low, high = np.percentile(figures, INTERVAL_PERCENT)
    return float(low), float(high)
