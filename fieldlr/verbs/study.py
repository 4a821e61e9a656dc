"""study: what does every stored number buy?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.verbs.training import Training
from fieldlr.verbs.verb import Out, Source, Stopped


@dataclass(frozen=True, kw_only=True)
class Study(Training):
    """Fits every backbone at every rank and draws quality against size, with BD figures.

    Example: fieldlr study meshes/vase.ply --out vase-study --ranks 1,5,20 --narrow --seconds 30
    """

    source: Source
    out: Out
    """The folder of the study. Given again, the study goes on."""
    backbones: str = "full,low-rank,sine-low-rank"
    ranks: str = "1,2,5,20"
    seeds: int = 1
    """Fits of each point."""
    narrow: bool = False
    """Adds dense networks that are as small as the factorised ones."""

    def run(self) -> dict[str, Any]:
        from fieldlr.progress import duration, printed
        from fieldlr.stopping import stop_requests
        from fieldlr.study import Study as WholeStudy

        with stop_requests() as stop:
            study = WholeStudy(
                self.source,
                self.out,
                self.options(),
                _names(self.backbones),
                _whole_numbers(self.ranks),
                self.seeds,
                self.narrow,
                **self.surroundings(),
            )
            self.say(f"{len(study.entries)} fits, {len(study.done)} of them done")

            def line(report) -> str:
                entry, left = report.entry, report.seconds_left
                return "  ".join(
                    [
                        f"fit {report.index + 1} of {report.total}",
                        f"{entry.curve} {entry.point} seed {entry.options.seed}",
                        f"{study.measure} ~ {report.fit.quality:.4g}" if report.fit.quality else "",
                        "" if left is None else f"{duration(left)} left",
                    ]
                )

            reports = printed(study.reports(), lambda r: r.progress, line, self.quiet)
            for _ in reports:
                if stop.requested:
                    study.checkpoint()
                    raise Stopped(
                        f"stopped with {len(study.done)} of {len(study.entries)} fits done, kept "
                        f"in {self.out}. Go on with the same command.",
                        {"out": str(self.out), "done": len(study.done)},
                    )
            return {"out": str(self.out), "fits": len(study.entries), **study.save()}


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _whole_numbers(text: str) -> list[int]:
    from fieldlr.errors import FieldlrError

    try:
        return [int(word) for word in _names(text)]
    except ValueError:
        raise FieldlrError(f"--ranks are whole numbers, as 1,2,5,20; got {text}.") from None
