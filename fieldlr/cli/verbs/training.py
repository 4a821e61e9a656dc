"""The flags of every verb that trains: which network, trained how, on what size of input."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from fieldlr.cli.verbs.verb import Verb


@dataclass(frozen=True, kw_only=True)
class Training(Verb):
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
    """`auto` adds Muon, and Gauss-Newton for very small sine-low-rank shapes, where they pay."""
    seconds: float | None = None
    """Ends a fit after so many seconds of training."""
    steps: int | None = None
    """Ends a fit after so many steps; the result then does not depend on the clock."""
    downscale: int | None = None
    """Divides the size of photos."""
    grid: int | None = None
    """Voxels along the longest edge of a mesh (512)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory: float | None = None
    """GiB that a fit may take."""

    def options(self):
        """The flags that say how to fit, as FitOptions."""
        from fieldlr.training.presets import FitOptions

        names = [f.name for f in dataclasses.fields(FitOptions)]
        return FitOptions(**{name: getattr(self, name, None) for name in names})

    def surroundings(self) -> dict[str, Any]:
        """The flags that say on what and where, as arguments of `Reconstruction`."""
        return {
            "downscale": self.downscale,
            "grid": self.grid,
            "device": self.device,
            "memory_gib": self.memory,
        }
