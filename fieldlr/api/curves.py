"""Rate-distortion curves, their figures and their drawing, from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from fieldlr.errors import FieldlrError
from fieldlr.geometry.arrays import ArrayLike, numbers
from fieldlr.metrics.bd import MIN_POINTS, BdFigure, Method, bd_figure
from fieldlr.metrics.curve import RDCurve, shared_rate
from fieldlr.metrics.curve_file import QUALITY_COLUMNS, RATE_COLUMNS, curve_of, plain_name
from fieldlr.pictures.curves import check_plotting, draw_curves
from fieldlr.pictures.drawing import Drawing
from fieldlr.study.drawing import plot_of
from fieldlr.system.registry import nearest


def curve(
    name: str,
    rates: ArrayLike,
    qualities: ArrayLike,
    *,
    unit: str = "bytes",
    measure: str = "psnr_db",
    labels: Sequence[str] | None = None,
) -> RDCurve:
    """A rate-distortion curve from n rates and n qualities.

    rates: above 0, in `unit`: bytes, bits, kilobytes, KiB, MB, params, bpp, kbps, ... qualities:
    what `measure` says: psnr_db, psnr_y_db, iou, ms_ssim or ssim. labels: one for each point;
    points of one label are repeats, such as seeds, and are averaged. FieldlrError names the
    nearest unit or measure where one is unknown.
    """
    for word, given, known in (
        ("unit", unit, RATE_COLUMNS),
        ("measure", measure, QUALITY_COLUMNS),
    ):
        if plain_name(given) not in known:
            raise FieldlrError(f"there is no {word} {given!r}. {nearest(plain_name(given), known)}")
    rate_list, quality_list = numbers("rates", rates), numbers("qualities", qualities)
    if rate_list.ndim != 1 or rate_list.shape != quality_list.shape:
        raise FieldlrError(
            "`rates` and `qualities` have one shape (n,); got "
            f"{rate_list.shape} and {quality_list.shape}."
        )
    columns = {unit: rate_list.tolist(), measure: quality_list.tolist()}
    if labels is not None:
        columns["point"] = list(labels)
        columns["seed"] = [list(labels[:i]).count(one) for i, one in enumerate(labels)]
    return curve_of(name, columns)


def bd(
    anchor: RDCurve,
    test: RDCurve,
    *,
    rate: str | None = None,
    method: str = "akima",
    force: bool = False,
) -> BdFigure:
    """BD-rate and BD-quality of `test` against `anchor` (Bjontegaard 2001, VCEG-M33).

    rate: bytes, params, bpp or kbps, by default the first that both curves have. method: akima,
    pchip or cubic. force: computes them where the curves overlap by less than 75 % too; else that
    is a FieldlrError.
    """
    if method not in MIN_POINTS:
        raise FieldlrError(f"there is no method {method!r}. {nearest(str(method), MIN_POINTS)}")
    return bd_figure(anchor, test, rate, cast(Method, method), force)


def plot(*curves: RDCurve, title: str = "rate and quality", rate: str | None = None) -> Drawing:
    """A drawing of curves: a notebook shows it, `.save("x.svg")` writes it. Wants matplotlib."""
    check_plotting("matplotlib")
    if not curves:
        raise FieldlrError("a drawing has one curve or more. Give some.")
    if len({one.measure for one in curves}) > 1:
        measures = ", ".join(f"{one.name}: {one.measure}" for one in curves)
        raise FieldlrError(f"one drawing shows curves of one measure; got {measures}.")
    return draw_curves(plot_of(curves, title, shared_rate(curves, rate)))
