"""bd: the average difference between two rate-distortion curves."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import Verb
from fieldlr.metrics.bd import MIN_POINTS, Method
from fieldlr.metrics.curve import RATES
from fieldlr.system.kinds import Choice
from fieldlr.system.options import Options, option


@dataclass(frozen=True, kw_only=True)
class Comparison(Options):
    """How curves are compared."""

    rate: str | None = option(
        Choice(RATES),
        "The rate of a point",
        shown_default="bytes, or the rate that both files have",
    )
    method: Method = option(Choice(MIN_POINTS), "Interpolation between points", "akima")


@dataclass(frozen=True, kw_only=True)
class Bd(Verb):
    """BD-rate and BD-quality of a curve against another.

    A curve is a .json that `study` or CompressAI wrote, or a .csv whose first line names a rate
    (bytes, kilobytes, params, bpp, kbps ...) and a quality (psnr_db, psnr-rgb, iou, ms-ssim ...).

    Example: fieldlr bd vase-study/low-rank.json vase-study/sine-low-rank.json --rate params
    """

    anchor: tyro.conf.Positional[
        Annotated[Path, tyro.conf.arg(metavar="ANCHOR", help="The anchor curve.")]
    ]
    test: tyro.conf.Positional[
        Annotated[
            Path,
            tyro.conf.arg(
                metavar="TEST",
                help="The test curve: a BD-rate below 0 means that it is smaller.",
            ),
        ]
    ]
    how: Comparison = Comparison()
    force: Flag[bool] = False
    """Compute the figures also below 75 % overlap."""

    def run(self) -> dict[str, Any]:
        from fieldlr.metrics.bd import bd_figure
        from fieldlr.metrics.curve import shared_rate
        from fieldlr.metrics.curve_file import read_curve

        anchor, test = read_curve(self.anchor), read_curve(self.test)
        rate = shared_rate((anchor, test), self.how.rate)
        figure = bd_figure(anchor, test, rate, self.how.method, self.force)
        said = {"anchor": anchor.name, "test": test.name, "rate": rate, "measure": test.measure}
        return {**said, **dataclasses.asdict(figure)}

    def text(self, result: dict[str, Any]) -> str:
        shown = dict(result)
        if result["interval"] is not None:
            shown["interval"] = "{:.5g} to {:.5g} (95 %)".format(*result["interval"])
        shown["dropped"] = ", ".join(result["dropped"]) or None
        return super().text(shown)
