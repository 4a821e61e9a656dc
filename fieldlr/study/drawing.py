"""The plot of a study's curves: axes, series, labels and notes."""

from __future__ import annotations

from collections.abc import Sequence

from fieldlr.metrics.curve import DECIBELS, RatePoint, RDCurve
from fieldlr.metrics.curve import RATES as ALL_RATES
from fieldlr.pictures.curves import Limit, Mark, Plot, Series, log_levels

AXES = {
    "psnr_db": "PSNR, dB",
    "psnr_y_db": "PSNR of luma, dB",
    "iou": "−10 log₁₀(1 − IoU), dB",
    "ms_ssim": "−10 log₁₀(1 − MS-SSIM), dB",
    "ssim": "−10 log₁₀(1 − SSIM), dB",
}
RATES = {"bytes": "file size in bytes", "params": "parameters"}
IOU_LEVELS = log_levels(
    [0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998]
)
SHARE_WORDS = {"iou": "IoU", "ms_ssim": "MS-SSIM", "ssim": "SSIM"}
MOST_NAMED = 12  # points off the lines that are named below a drawing


def plot_of(curves: Sequence[RDCurve], title: str, rate: str = "bytes") -> Plot:
    """All curves that have such a rate: the front of each as a line, what is off it beside it."""
    curves = sorted((c for c in curves if c.has(rate)), key=lambda c: c.only_bits or 0.0)
    drawn = [curve for curve in curves if not curve.is_exact]
    shapes = bool(curves) and curves[0].measure == "iou"
    return Plot(
        title,
        (ALL_RATES | RATES)[rate] + (" (1 KB = 1,000 bytes)" if rate == "bytes" else ""),
        AXES[curves[0].measure if curves else "psnr_db"],
        [series_of(curve, rate) for curve in drawn],
        [limit_of(curve, rate) for curve in curves if curve.is_exact],
        IOU_LEVELS if shapes else (),
        "IoU" if shapes else "",
        notes_on(curves, rate),
    )


def series_of(curve: RDCurve, rate: str = "bytes") -> Series:
    """A curve as a plot shows it: means over the seeds and their whole range."""
    kept, dropped = curve.front(rate)
    family = curve.name
    if curve.only_bits is not None:
        family = curve.name.removesuffix(f" {curve.only_bits:g} bits")
    return Series(
        curve.name,
        [mark_of(curve, point) for point in kept],
        [mark_of(curve, point) for point in dropped],
        dashed=curve.is_context,
        family=family,
        detail=curve.only_bits is not None,
    )


def mark_of(curve: RDCurve, point: RatePoint) -> Mark:
    qualities = [curve.quality(point) for point in point.fits]
    return Mark(point.rate, point.quality, min(qualities), max(qualities), point_text(curve, point))


def point_text(curve: RDCurve, point: RatePoint) -> str:
    """The text of a point: bytes, parameters, quality and its range over seeds."""
    figures = [point.figure for point in point.fits]
    mean, low, high = sum(figures) / len(figures), min(figures), max(figures)
    costs = {
        name: _mean([point.rates[name] for point in point.fits])
        for name in point.fits[0].rates
        if all(name in point.rates for point in point.fits)
    }
    words = {"bytes": "{:,.0f} bytes", "params": "{:,.0f} parameters"}
    parts = [words.get(name, f"{{:.4g}} {name}").format(cost) for name, cost in costs.items()]
    if curve.measure in DECIBELS:
        parts.append(f"{mean:.2f} dB")
        between = f"{low:.2f} to {high:.2f}"
    else:
        parts.append(f"{SHARE_WORDS[curve.measure]} {mean:.4f}")
        between = f"{low:.4f} to {high:.4f}"
    if len(figures) > 1:
        parts.append(f"{between} over {len(figures)} seeds")
    return f"{curve.named(point.label)}: {', '.join(parts)}"


def limit_of(curve: RDCurve, rate: str) -> Limit:
    best = curve.front(rate)[0][0]
    return Limit(f"{curve.name}: {best.rate:,.0f} bytes", best.rate, point_text(curve, best))


def notes_on(curves: Sequence[RDCurve], rate: str) -> list[str]:
    """What each curve is, and which points are off the lines, in sentences."""
    notes = [
        f"{curve.name}: {curve.description}"
        for curve in curves
        if curve.description and curve.only_bits is None
    ]
    dropped = [
        curve.named(point.label)
        for curve in curves
        if curve.only_bits is None and not curve.is_exact
        for point in curve.front(rate)[1]
    ]
    if dropped:
        more = len(dropped) - MOST_NAMED
        named = "; ".join(dropped[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        notes.append(f"Hollow points are not on the Pareto front: {named}.")
    if any(len(point.fits) > 1 for curve in curves for point in curve.front(rate)[0]):
        notes.append("Points are means over seeds; bars show the full range.")
    return notes


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
