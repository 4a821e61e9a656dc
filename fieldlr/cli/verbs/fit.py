"""fit: train a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.flags import Flag
from fieldlr.cli.verbs.verb import Out, Source, Stopped, Verb
from fieldlr.training.options import FitOptions


@dataclass(frozen=True, kw_only=True)
class Fit(Verb):
    """Trains a field on photos, a mesh or a volume.

    Example: fieldlr fit meshes/vase.ply --out vase-run --backbone sine-low-rank --rank 5
    """

    source: Source
    out: Out
    """The run folder to make."""
    resume: Flag[bool] = False
    """Resumes the run in --out."""
    preview: Flag[bool] = False
    """Writes images of the field during training: preview.png in the run."""
    training: FitOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.cli.progress import shown
        from fieldlr.runs.pipeline import Reconstruction
        from fieldlr.runs.previews import Previews
        from fieldlr.system.stopping import stop_requests

        with stop_requests() as stop:
            fit = Reconstruction(self.source, self.out, self.training, resume=self.resume)
            for warning in fit.source.content.warnings:
                self.say(f"note: {warning}")
            self.say(
                f"training {fit.state.field.num_parameters:,} parameters on {fit.state.device}"
            )
            previews = Previews(fit) if self.preview else None
            for _ in shown(fit.reports(), fit.task.quality_name, self.quiet):
                if previews is not None:
                    previews.look()
                if stop.requested:
                    return self._stop(fit)
            self.say("evaluating")
            results = fit.finish()
            if previews is not None:
                previews.last()
            return results | {"measure": fit.task.quality_name}

    def text(self, result: dict[str, Any]) -> str:
        """The figures, with the quality under the name of its metric."""
        quality = f"quality, {result.get('measure')}"  # A stopped fit has no quality.
        shown = {quality if k == "quality" else k: v for k, v in result.items() if k != "measure"}
        return super().text(shown)

    def _stop(self, fit: Any) -> dict[str, Any]:
        fit.checkpoint()
        raise Stopped(
            f"stopped at step {fit.state.step}; what is trained is in {self.out}. Rerun the same "
            "command with --resume to resume.",
            {"run": str(self.out), "steps": fit.state.step, "seconds": fit.state.seconds},
        )
