"""fit: train a field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from fieldlr.verbs.verb import Out, Source, Stopped, Verb


@dataclass(frozen=True, kw_only=True)
class Fit(Verb):
    """Trains a field on photos, a mesh or a volume.

    Example: fieldlr fit meshes/vase.ply --out vase-run --backbone sine-low-rank --rank 5
    """

    source: Source
    out: Out
    """The run folder to make."""
    backbone: Literal["full", "low-rank", "sine-low-rank"] | None = None
    """What the layers store: W (the default), U V^T, or sin(omega U V^T) / g."""
    rank: int | None = None
    """Columns of U and V."""
    omega: float | Literal["auto"] | None = None
    """Frequency of the sine; `auto` follows width and rank."""
    width: int | None = None
    """Neurons of a layer."""
    depth: int | None = None
    """Layers of width x width."""
    activation: Literal["relu", "sine", "gaussian"] | None = None
    encoding: Literal["identity", "frequency", "hash-grid", "dense-grid"] | None = None
    """What a point becomes before the first layer."""
    preset: Literal["quick", "standard", "paper"] | None = None
    """How large and how long (quick)."""
    optimizer: Literal["auto", "adam"] | None = None
    """`auto` adds Muon, and Gauss-Newton for very small shape networks, where they pay."""
    seconds: float | None = None
    """Ends after so many seconds of training."""
    steps: int | None = None
    """Ends after so many steps; the result then does not depend on the clock."""
    downscale: int | None = None
    """Divides the size of photos."""
    grid: int | None = None
    """Voxels along the longest edge of a mesh (512)."""
    seed: int | None = None
    """Of every random number (0)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory: float | None = None
    """GiB that the fit may take."""
    resume: bool = False
    """Goes on with the run in --out as if it had never stopped."""

    def run(self) -> dict[str, Any]:
        from fieldlr.pipeline import Reconstruction
        from fieldlr.presets import FitOptions
        from fieldlr.progress import shown
        from fieldlr.stopping import stop_requests

        names = [f.name for f in dataclasses.fields(FitOptions)]
        with stop_requests() as stop:
            fit = Reconstruction(
                self.source,
                self.out,
                FitOptions(**{name: getattr(self, name) for name in names}),
                downscale=self.downscale,
                grid=self.grid,
                device=self.device,
                memory_gib=self.memory,
                resume=self.resume,
            )
            for warning in fit.source.content.warnings:
                self.say(f"note: {warning}")
            self.say(
                f"training {fit.state.field.num_parameters:,} parameters on {fit.state.device}"
            )
            for _ in shown(fit.reports(), fit.task.quality_name, self.quiet):
                if stop.requested:
                    return self._stop(fit)
            self.say("evaluating")
            return fit.finish()

    def _stop(self, fit) -> dict[str, Any]:
        fit.checkpoint()
        raise Stopped(
            f"stopped at step {fit.state.step}; what is trained is in {self.out}. Go on with the "
            "same command and --resume.",
            {"run": str(self.out), "steps": fit.state.step, "seconds": fit.state.seconds},
        )
