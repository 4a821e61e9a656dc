"""study: rate-distortion curves of fits."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.spread import Spread
from fieldlr.cli.verbs.verb import Out, Source, Stopped, Verb
from fieldlr.study.sweep import Sweep
from fieldlr.training.options import FitOptions


@dataclass(frozen=True, kw_only=True)
class Base(FitOptions):
    """Options of all fits of a study."""

    not_offered = ("backbone", "rank", "seed")


@dataclass(frozen=True, kw_only=True)
class Study(Verb):
    """Fits every backbone at every rank, writes each fit as files, draws quality against bytes.

    Example: fieldlr study meshes/vase.ply --out vase-study --ranks 1,5,20 --bits 5,8 --classic
    """

    source: Source
    out: Out
    """The folder of the study. Rerun the same command to resume."""
    sweep: Sweep
    spread: Spread
    training: Base

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import printed
        from fieldlr.study.study import Study as WholeStudy
        from fieldlr.system.duration import duration
        from fieldlr.system.stopping import stop_requests

        with stop_requests() as stop:
            study = WholeStudy(self.source, self.out, self.training, self.sweep)
            self.say(f"{len(study.entries)} fits, {len(study.done)} of them done")
            qualities: dict[str, float] = {}  # the last estimate of each fit

            def line(report: Any) -> str:
                if report.quality is not None:
                    qualities[report.title] = report.quality
                quality = qualities.get(report.title)
                words = [
                    f"{report.index + 1} of {report.total}",
                    f"{report.title}: {report.doing}",
                    f"{study.measure} ~ {quality:.4g}" if quality is not None else "",
                    f"{duration(report.seconds_left)} left" if report.seconds_left else "",
                ]
                return "  ".join(word for word in words if word)

            carry = self.spread.carry(self.out) if self.spread.is_asked else None
            with closing(study.reports(carry)) as reports:
                for _ in printed(reports, lambda r: r.progress, line, self.quiet):
                    if stop.requested:
                        study.checkpoint()
                        raise Stopped(
                            f"stopped with {len(study.done)} of {len(study.entries)} fits done, "
                            f"kept in {self.out}. Rerun the same command to resume.",
                            {"out": str(self.out), "done": len(study.done)},
                        )
            result = {"out": str(self.out), "fits": len(study.entries), **study.save()}
            return result | {"warnings": study.warnings}
