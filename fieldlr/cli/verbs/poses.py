"""poses: camera poses from photos or a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.verb import Out, Stopped, Verb
from fieldlr.data.options import PosingOptions


@dataclass(frozen=True, kw_only=True)
class Poses(Verb):
    """Finds the poses of photos or video frames, and writes a folder that `fit` reads.

    Example: fieldlr poses photos --out posed
    """

    photos: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="PHOTOS")]]
    """A folder of pictures, or a video (.mp4 .mov .webm .avi ...)."""
    out: Out
    """The folder to make: transforms.json and the photos."""
    posing: PosingOptions

    def run(self) -> dict[str, Any]:
        from contextlib import closing

        from fieldlr.cli.progress import printed
        from fieldlr.data.posing import find_poses
        from fieldlr.system.duration import duration
        from fieldlr.system.stopping import stop_requests

        def line(report: Any) -> str:
            done, left = f"{report.stage} {report.done:,} of {report.total:,}", report.seconds_left
            left = "" if left is None else f"  {duration(left)} left"
            return f"{report.progress:4.0%}  {done}{left}"

        result: dict[str, Any] = {}
        finding = find_poses(self.photos, self.out, self.posing)
        with stop_requests() as stop, closing(finding) as reports:
            for report in printed(reports, lambda r: r.progress, line, self.quiet):
                if stop.requested and report.result is None:
                    raise Stopped(
                        f"stopped at {report.stage} {report.done:,} of {report.total:,}; nothing "
                        f"is kept in {self.out}. The same command starts from the beginning.",
                        {"out": str(self.out), "stage": report.stage, "done": report.done},
                    )
                result = report.result or {}
        return result

    def text(self, result: dict[str, Any]) -> str:
        """The figures, then how frames were chosen, lenses, and why photos have no pose."""
        from fieldlr.data.posing_words import told

        figures, *warnings = super().text(result).split("\nwarning: ")
        lines = [figures, *told(result), *(f"warning: {text}" for text in warnings)]
        return "\n".join(lines)
