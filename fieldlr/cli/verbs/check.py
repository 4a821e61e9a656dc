"""check: what a source contains, and its problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import File, Source, Verb
from fieldlr.data.options import ReadingOptions


@dataclass(frozen=True, kw_only=True)
class Check(Verb):
    """Reads a source and reports its problems, without training.

    Of photos it names those that are blurred, over- or under-exposed, or duplicated. Says after how
    many seconds of training on this machine a quick fit is good, within about 1 dB of best.

    Example: fieldlr check scenes/windmill --html cameras.html
    """

    source: Source
    html: File = None
    """Draws the cameras or the shape as an HTML page."""
    reading: ReadingOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.data import open_source
        from fieldlr.runs.check import check, draw
        from fieldlr.training.budgets import PHOTOS_SPEED, outcome_seconds, samples_per_second
        from fieldlr.training.options import FitOptions

        source = open_source(self.source, **self.reading.flat())
        facts = check(source)
        if self.html is not None:
            draw(source, facts, self.html)
        speed = samples_per_second() * (PHOTOS_SPEED if source.kind == "photos" else 1.0)
        lengths = outcome_seconds(FitOptions(), source.kind, speed)
        return facts | {f"{name}_seconds": length for name, length in lengths.items()}
