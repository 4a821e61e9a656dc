"""The best that a classic can do at every size: all its settings, each measured once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.system.json import read_json, write_json

# The label of a setting: [bytes, quality], or None where it stores nothing.
Tries = dict[str, list[float] | None]

VERSION = 1  # goes up when a classic would give other figures


@runtime_checkable
class Setting(Protocol):
    """One way to store."""

    @property
    def label(self) -> str: ...


@runtime_checkable
class Classic(Protocol):
    """A way to store a source that is no network."""

    name: str  # of its curve
    words: str  # what it is, for people
    measure: str  # psnr_db or iou
    is_context: bool  # whether what it measures cannot be compared

    def settings(self, known: Tries) -> list[Any]:
        """What is worth a try, after what is known; more of it than before, as more is known."""
        ...

    def measured(self, setting: Any) -> tuple[int, float] | None:
        """(bytes, quality of what they decode to); None where nothing is left to store."""
        ...


class Search:
    """Measures a classic at all its settings; what is measured is in a file, and not done again."""

    def __init__(self, classic: Classic, folder: Path, about: dict[str, Any]):
        self.classic = classic
        self.path = folder / f"{classic.name.lower().replace(' ', '-')}.json"
        self.about = about | {"version": VERSION}
        self.tries: Tries = {}
        if self.path.exists():
            known = read_json(self.path)
            if {name: known.get(name) for name in self.about} != self.about:
                raise FieldlrError(
                    f"{self.path} was measured on another source or by another fieldlr. Remove "
                    "it, or give another `out`."
                )
            self.tries = known["tries"]

    def missing(self) -> list[Setting]:
        settings = self.classic.settings(self.tries)
        return [one for one in settings if one.label not in self.tries]

    def reports(self) -> Iterator[str]:
        """Measures what is missing; the label of each setting as it is done."""
        while missing := self.missing():
            setting = missing[0]
            found = self.classic.measured(setting)
            self.tries[setting.label] = None if found is None else list(found)
            write_json(self.path, self.about | {"tries": self.tries})
            yield setting.label

    def curve(self) -> RDCurve | None:
        """The best at every size; None where nothing is measured."""
        found = {label: one for label, one in self.tries.items() if one is not None}
        points = [
            RDPoint(label, int(num_bytes), None, figure, 0)
            for label, (num_bytes, figure) in found.items()
        ]
        classic = self.classic
        everything = RDCurve(classic.name, classic.measure, tuple(points))
        best = tuple(spot.fits[0] for spot in everything.front("bytes")[0])
        if not best:
            return None
        config = {"settings_tried": len(points), "context": classic.is_context}
        words = f"{classic.words} The best of {len(points)} settings."
        return RDCurve(classic.name, classic.measure, best, words, config)
