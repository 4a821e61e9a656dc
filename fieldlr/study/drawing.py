"""The plot of a study's curves: axes, series, labels and notes."""

from __future__ import annotations

from collections.abc import Sequence

from fieldlr.metrics.curve import Rate, RatePoint, RDCurve
from fieldlr.pictures.curves import Limit, Mark, Plot, Series, log_levels

AXES = {
    "psnr_db": "PSNR, dB",
    "iou": "−10 log₁₀(1 − IoU), dB",
}
RATES = {"bytes": "file size in bytes", "params": "parameters"}
IOU_LEVELS = log_levels(
    [0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998]
)
MOST_NAMED = 12  # points off the Pareto front named in the notes


def plot_of(curves: Sequence[RDCurve], title: str, rate: Rate = "bytes") -> Plot:
    """A plot of all curves that have this rate, with Pareto fronts as lines."""
    curves = sorted((c for c in curves if c.has(rate)), key=lambda c: c.only_bits or 0.0)
    drawn = [curve for curve in curves if not curve.is_exact]
    shapes = bool(curves) and curves[0].measure == "iou"
    return Plot(
        title,
        RATES[rate] + (" (1 KB = 1,000 bytes)" if rate == "bytes" else ""),
        AXES["iou" if shapes else "psnr_db"],
        [series_of(curve, rate) for curve in drawn],
        [limit_of(curve, rate) for curve in curves if curve.is_exact],
        IOU_LEVELS if shapes else (),
        "IoU" if shapes else "",
        notes_on(curves, rate),
    )


def series_of(curve: RDCurve, rate: Rate = "bytes") -> Series:
    """The plotted series of a curve: means over seeds with their range."""
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
    numbers, size = point.fits[0].num_parameters, _mean([p.num_bytes for p in point.fits])
    parts = [f"{size:,.0f} bytes", "" if numbers is None else f"{numbers:,} parameters"]
    if curve.measure == "psnr_db":
        parts.append(f"{mean:.2f} dB")
        between = f"{low:.2f} to {high:.2f}"
    else:
        parts.append(f"IoU {mean:.4f}")
        between = f"{low:.4f} to {high:.4f}"
    if len(figures) > 1:
        parts.append(f"{between} over {len(figures)} seeds")
    return f"{curve.named(point.label)}: {', '.join(part for part in parts if part)}"


def limit_of(curve: RDCurve, rate: Rate) -> Limit:
    best = curve.front(rate)[0][0]
    return Limit(f"{curve.name}: {best.rate:,.0f} bytes", best.rate, point_text(curve, best))


def notes_on(curves: Sequence[RDCurve], rate: Rate) -> list[str]:
    """Notes: descriptions of the curves, and the points off the Pareto front."""
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
