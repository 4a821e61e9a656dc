"""bd: how much cheaper is one curve than another?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import Verb

Curve = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="CURVE")]]


@dataclass(frozen=True, kw_only=True)
class Bd(Verb):
    """BD-rate and BD-quality of a curve against another, as `study` writes them.

    Example: fieldlr bd vase-study/low-rank.json vase-study/sine-low-rank.json --rate params
    """

    anchor: Curve
    test: Curve
    rate: Literal["bytes", "params"] = "bytes"
    method: Literal["akima", "pchip", "cubic"] = "akima"
    force: Flag[bool] = False
    """Compute it under 75 % overlap too."""

    def run(self) -> dict[str, Any]:
        from fieldlr.metrics.bd import bd_figure
        from fieldlr.metrics.curve_file import read_curve

        anchor, test = read_curve(self.anchor), read_curve(self.test)
        figure = bd_figure(anchor, test, self.rate, self.method, self.force)
        return {"anchor": anchor.name, "test": test.name, **dataclasses.asdict(figure)}

    def text(self, result: dict[str, Any]) -> str:
        shown = dict(result)
        if result["interval"] is not None:
            shown["interval"] = "{:.5g} to {:.5g} (95 %)".format(*result["interval"])
        shown["dropped"] = ", ".join(result["dropped"]) or None
        return super().text(shown)
