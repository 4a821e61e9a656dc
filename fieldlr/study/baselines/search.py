"""The Pareto front of a baseline over all its settings, each measured once and cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.system.json import read_json, write_json

# From the label of a setting to [bytes, quality], or None if nothing is left to store.
Tries = dict[str, list[float] | None]

VERSION = 1  # incremented when results of a baseline change


@runtime_checkable
class Setting(Protocol):
    """A setting of a baseline."""

    @property
    def label(self) -> str: ...


@runtime_checkable
class Baseline(Protocol):
    """A conventional codec for a source."""

    name: str  # of its curve
    words: str  # a description
    measure: str  # psnr_db or iou
    is_context: bool  # for reference only: its measure is not comparable

    def settings(self, known: Tries) -> list[Any]:
        """The settings to try, given the results so far, which may add settings."""
        ...

    def measured(self, setting: Any) -> tuple[int, float] | None:
        """(bytes, quality after decoding); None if nothing is left to store."""
        ...


class Search:
    """Measures a baseline at all its settings; results are cached in a file."""

    def __init__(self, baseline: Baseline, folder: Path, about: dict[str, Any]):
        self.baseline = baseline
        self.path = folder / f"{baseline.name.lower().replace(' ', '-')}.json"
        self.about = about | {"version": VERSION}
        self.tries: Tries = {}
        if self.path.exists():
            known = read_json(self.path)
            if {name: known.get(name) for name in self.about} != self.about:
                raise FieldlrError(
                    f"{self.path} is of another source or of another version of fieldlr. Remove "
                    "it, or choose another `out`."
                )
            self.tries = known["tries"]

    def missing(self) -> list[Setting]:
        settings = self.baseline.settings(self.tries)
        return [one for one in settings if one.label not in self.tries]

    def reports(self) -> Iterator[str]:
        """Measures missing settings; yields the label of each when done."""
        while missing := self.missing():
            setting = missing[0]
            found = self.baseline.measured(setting)
            self.tries[setting.label] = None if found is None else list(found)
            write_json(self.path, self.about | {"tries": self.tries})
            yield setting.label

    def curve(self) -> RDCurve | None:
        """The Pareto front of all settings; None if nothing is measured."""
        found = {label: one for label, one in self.tries.items() if one is not None}
        points = [
            RDPoint(label, int(num_bytes), None, figure, 0)
            for label, (num_bytes, figure) in found.items()
        ]
        baseline = self.baseline
        everything = RDCurve(baseline.name, baseline.measure, tuple(points))
        best = tuple(point.fits[0] for point in everything.front("bytes")[0])
        if not best:
            return None
        config = {"settings_tried": len(points), "context": baseline.is_context}
        words = f"{baseline.words} The best of {len(points)} settings."
        return RDCurve(baseline.name, baseline.measure, best, words, config)
