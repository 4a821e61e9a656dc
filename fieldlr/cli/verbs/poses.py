"""poses: where did the cameras stand?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fieldlr.cli.verbs.verb import Out, Stopped, Verb


@dataclass(frozen=True, kw_only=True)
class Poses(Verb):
    """Finds the poses of photos that have none, and writes a folder that `fit` reads.

    Example: fieldlr poses photos --out posed
    """

    photos: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="PHOTOS")]]
    """A folder of pictures."""
    out: Out
    """The folder to make: transforms.json and the photos."""

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
        with stop_requests() as stop, closing(find_poses(self.photos, self.out)) as reports:
            for report in printed(reports, lambda r: r.progress, line, self.quiet):
                if stop.requested and report.result is None:
                    raise Stopped(
                        f"stopped at {report.stage} {report.done:,} of {report.total:,}; nothing "
                        f"is kept in {self.out}. The same command starts anew.",
                        {"out": str(self.out), "stage": report.stage, "done": report.done},
                    )
                result = report.result or {}
        return result
