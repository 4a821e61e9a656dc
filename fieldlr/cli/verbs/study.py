"""study: what does every byte buy?"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.spread import Spread
from fieldlr.cli.verbs.training import Training
from fieldlr.cli.verbs.verb import Out, Source, Stopped


@dataclass(frozen=True, kw_only=True)
class Study(Training, Spread):
    """Fits every backbone at every rank, writes each fit as files, draws quality against bytes.

    Example: fieldlr study meshes/vase.ply --out vase-study --ranks 1,5,20 --bits 5,8 --classic
    """

    source: Source
    out: Out
    """The folder of the study. Given again, the study goes on."""
    backbones: str = "full,low-rank,sine-low-rank"
    ranks: str = "1,2,5,20"
    seeds: int = 1
    """Fits of each point."""
    bits: str | None = None
    """Bits of a number in a file, or several as 4,6,8 (as many as the quality hardly shows)."""
    finetune: float | None = None
    """Seconds (with --steps: steps) of training for each file, with its numbers rounded."""
    narrow: bool = False
    """Adds dense networks that are as small as the factorised ones: so it does, said or not,"""
    no_narrow: bool = False
    """unless this is said."""
    classic: bool = False
    """Adds what else can hold a shape in few bytes, or photos: Draco, block grids, pictures."""

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import printed
        from fieldlr.study import Study as WholeStudy
        from fieldlr.system.duration import duration
        from fieldlr.system.stopping import stop_requests

        with stop_requests() as stop:
            study = WholeStudy(
                self.source,
                self.out,
                self.options(),
                self.sweep(),
                self.classic,
                **self.surroundings(),
            )
            self.say(f"{len(study.entries)} fits, {len(study.done)} of them done")
            qualities: dict[str, float] = {}  # the last estimate of each fit

            def line(report) -> str:
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

            spread = self.workers is not None or self.dask is not None
            carry = self.carry(self.out) if spread else None
            with closing(study.reports(carry)) as reports:
                for _ in printed(reports, lambda r: r.progress, line, self.quiet):
                    if stop.requested:
                        study.checkpoint()
                        raise Stopped(
                            f"stopped with {len(study.done)} of {len(study.entries)} fits done, "
                            f"kept in {self.out}. Go on with the same command.",
                            {"out": str(self.out), "done": len(study.done)},
                        )
            result = {"out": str(self.out), "fits": len(study.entries), **study.save()}
            return result | {"warnings": study.warnings}

    def sweep(self):
        """The flags that say what the study goes over."""
        from fieldlr.errors import FieldlrError
        from fieldlr.study import Sweep
        from fieldlr.training.loop import FitConfig

        if self.narrow and self.no_narrow:
            raise FieldlrError("--narrow and --no-narrow contradict each other. Leave one out.")
        finetune = None
        if self.finetune is not None:
            if not 0.0 < self.finetune < math.inf:
                raise FieldlrError(f"--finetune is a length above 0; got {self.finetune}. Say 30.")
            by_steps = self.steps is not None and self.seconds is None
            steps = math.ceil(self.finetune)
            finetune = FitConfig(steps=steps) if by_steps else FitConfig(seconds=self.finetune)
        return Sweep(
            _names(self.backbones),
            _numbers(self.ranks, int, "--ranks are whole numbers, as 1,2,5,20"),
            self.seeds,
            not self.no_narrow,
            _numbers(self.bits or "", float, "--bits are numbers, as 4,6,8") or (None,),
            finetune,
        )


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str, kind: type, rule: str) -> list:
    from fieldlr.errors import FieldlrError

    try:
        return [kind(word) for word in _names(text)]
    except ValueError:
        raise FieldlrError(f"{rule}; got {text}.") from None
