"""Bjontegaard deltas between two rate-distortion curves, with their overlap and their spread.

BD-rate is the mean difference of log-rate over the qualities that both curves reach, as a
percentage of rate; BD-quality the mean difference of quality over the rates that both have
(Bjontegaard 2001, VCEG-M33; Akima's interpolation as Herglotz et al. 2024 advise).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fieldlr.errors import FieldlrError
from fieldlr.study.curve import Rate, RDCurve

Method = Literal["akima", "pchip", "cubic"]
MIN_POINTS = {"akima": 2, "pchip": 2, "cubic": 4}
MIN_OVERLAP = 0.75
RESAMPLES = 500
INTERVAL_PERCENT = (2.5, 97.5)

Line = tuple[np.ndarray, np.ndarray]  # log10 of rates, and qualities in dB, both rising


@dataclass(frozen=True)
class BdFigure:
    """What `test` needs and gives against `anchor`."""

    bd_rate_percent: float  # below 0: the same quality for fewer bytes
    bd_quality_db: float  # above 0: a better quality for the same bytes
    interval: tuple[float, float] | None  # 95 % of BD-rates with seeds drawn again; None with one
    overlap: float  # of the qualities or of the rates, whichever is less, in [0, 1]
    method: str
    dropped: tuple[str, ...]  # points that cost more than another and give no more


def bd_figure(
    anchor: RDCurve,
    test: RDCurve,
    rate: Rate = "bytes",
    method: Method = "akima",
    force: bool = False,
) -> BdFigure:
    """BD-rate and BD-quality of `test` against `anchor`; seeds of a point are averaged first.

    FieldlrError where the curves overlap by less than 75 %, unless `force`, or cannot be compared.
    """
    if anchor.measure != test.measure:
        raise FieldlrError(
            f"{anchor.name} is measured in {anchor.measure} and {test.name} in {test.measure}. "
            "Compare curves of one measure."
        )
    dropped: list[str] = []
    lines = [_front(curve, rate, method, dropped) for curve in (anchor, test)]
    overlap = min(_overlap(lines[0][side], lines[1][side]) for side in (0, 1))
    if overlap <= 0.0:
        raise FieldlrError(
            f"{anchor.name} and {test.name} share no quality or no rate. Add points between them."
        )
    if overlap < MIN_OVERLAP and not force:
        raise FieldlrError(
            f"the curves overlap by {100 * overlap:.0f} % and a BD figure of less than "
            f"{100 * MIN_OVERLAP:.0f} % says little. Add points, or use --force."
        )
    rate_percent, quality = _deltas(*lines, method)
    return BdFigure(
        rate_percent,
        quality,
        _interval(anchor, test, rate, method),
        overlap,
        method,
        tuple(dropped),
    )


def bd_table(curves: Sequence[RDCurve], rate: Rate = "bytes") -> list[dict[str, Any]]:
    """BD figures of the pairs that may be compared, or in a sentence why there is none.

    Whole curves are compared with whole ones, and those of so many bits a number with their like.
    """
    rivals = [curve for curve in curves if not curve.is_context]
    table = []
    for anchor, test in itertools.permutations(rivals, 2):
        if anchor.only_bits != test.only_bits:
            continue
        row: dict[str, Any] = {"anchor": anchor.name, "test": test.name}
        row["dropped"] = [f"{c.name} {s.label}" for c in (anchor, test) for s in c.front(rate)[1]]
        try:
            row |= dataclasses.asdict(bd_figure(anchor, test, rate))
        except FieldlrError as error:
            row["refused"] = str(error)
        table.append(row)
    return table


def _deltas(anchor: Line, test: Line, method: Method) -> tuple[float, float]:
    """(BD-rate in percent, BD-quality in dB)."""
    (anchor_rate, anchor_quality), (test_rate, test_quality) = anchor, test
    log_ratio = _mean_gap((anchor_quality, anchor_rate), (test_quality, test_rate), method)
    return 100.0 * (10.0**log_ratio - 1.0), _mean_gap(anchor, test, method)


def _mean_gap(anchor: Line, test: Line, method: Method) -> float:
    """Mean of test minus anchor over the abscissae that both have."""
    low, high = max(anchor[0][0], test[0][0]), min(anchor[0][-1], test[0][-1])
    return (_integral(*test, low, high, method) - _integral(*anchor, low, high, method)) / (
        high - low
    )


def _integral(x: np.ndarray, y: np.ndarray, low: float, high: float, method: Method) -> float:
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

    if method == "cubic":
        whole = np.polyint(np.polyfit(x, y, 3))
        return float(np.polyval(whole, high) - np.polyval(whole, low))
    # Two points are a straight line to every method, and Akima's own formula needs three.
    smooth = Akima1DInterpolator if method == "akima" and len(x) > 2 else PchipInterpolator
    return float(smooth(x, y).integrate(low, high))


def _front(curve: RDCurve, rate: Rate, method: Method, dropped: list[str]) -> Line:
    """The curve with its seeds averaged, without the points that buy nothing."""
    kept, left = curve.front(rate)
    dropped += [f"{curve.name} {spot.label}" for spot in left]
    if len(kept) < MIN_POINTS[method]:
        raise FieldlrError(
            f"{method} needs {MIN_POINTS[method]} points that rise; {curve.name} has {len(kept)}. "
            "Add points to the curve."
        )
    return np.array([np.log10(s.rate) for s in kept]), np.array([s.quality for s in kept])


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Length of what two ranges share, of what they cover together."""
    shared = min(one[-1], other[-1]) - max(one[0], other[0])
    return max(0.0, float(shared / (max(one[-1], other[-1]) - min(one[0], other[0]))))


def _interval(
    anchor: RDCurve, test: RDCurve, rate: Rate, method: Method
) -> tuple[float, float] | None:
    """95 % of the BD-rates of curves whose seeds are drawn again, with replacement."""
    if all(len(fits) == 1 for curve in (anchor, test) for _, fits in curve.groups()):
        return None
    random = np.random.default_rng(0)
    figures = []
    for _ in range(RESAMPLES):
        try:
            lines = [_front(_drawn(c, random), rate, method, []) for c in (anchor, test)]
        except FieldlrError:
            continue  # A draw in which too few points rise.
        if min(_overlap(lines[0][side], lines[1][side]) for side in (0, 1)) > 0.0:
            figures.append(_deltas(*lines, method)[0])
    if not figures:
        return None
    low, high = np.percentile(figures, INTERVAL_PERCENT)
    return float(low), float(high)


def _drawn(curve: RDCurve, random: np.random.Generator) -> RDCurve:
    points = [
        fits[index]
        for _, fits in curve.groups()
        for index in random.integers(len(fits), size=len(fits))
    ]
    return RDCurve(curve.name, curve.measure, tuple(points))
