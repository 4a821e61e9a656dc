"""From a user's few words (a backbone, a rank, a preset) to a field's config and a task."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from fieldlr.data import Source
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS, LinearConfig
from fieldlr.training.loop import FitConfig
from fieldlr.training.tasks import OccupancyTask, RadianceTask, Task
from fieldlr.training.tasks.occupancy import OccupancySettings
from fieldlr.training.tasks.radiance import PRESETS as PHOTO_PRESETS

Preset = Literal["quick", "standard", "paper"]

# Shapes have one network, the paper's; presets differ in how long and on what it is trained.
# `paper` draws voxels uniformly, 200,000 a step, for 200 passes over the Thai statue's grid.
SHAPE_PRESETS = {
    "quick": OccupancySettings(),
    "standard": OccupancySettings(),
    "paper": OccupancySettings(
        points_per_step=200_000, near_fraction=0.0, newton_after=None, matrix_rate=None
    ),
}
SECONDS = {
    "photos": {"quick": 300.0, "standard": 1200.0},
    "shape": {"quick": 60.0, "standard": 240.0},
}
PAPER_STEPS = {"photos": 200_000, "shape": 40_400}


@dataclass(frozen=True)
class FitOptions:
    """What a user may say about a fit; None stands for the preset's choice."""

    backbone: str | None = None
    rank: int | None = None
    omega: float | Literal["auto"] | None = None
    width: int | None = None
    depth: int | None = None
    activation: str | None = None
    encoding: str | None = None
    preset: Preset | None = None
    optimizer: Literal["auto", "adam"] | None = None
    seconds: float | None = None
    steps: int | None = None
    seed: int | None = None

    def settled(self) -> FitOptions:
        """The same with what every fit has: a preset, an optimiser and a seed."""
        return dataclasses.replace(
            self,
            preset=self.preset or "quick",
            optimizer=self.optimizer or "auto",
            seed=self.seed or 0,
        )


def field_config(options: FitOptions, kind: str) -> FieldConfig:
    """The shape of the field that the options ask for."""
    base = PHOTO_PRESETS[options.preset][0] if kind == "photos" else FieldConfig()
    kinds: dict[str, Any] = {"linear": linear_config(options)}
    if options.activation is not None:
        kinds["activation"] = ACTIVATIONS[options.activation]()
    if options.encoding is not None:
        kinds["encoding"] = ENCODINGS[options.encoding]()
    sizes = {k: v for k in ("width", "depth") if (v := getattr(options, k)) is not None}
    if kind == "photos" and dataclasses.replace(base, **kinds).alone:
        # Without a grid the MLP needs the size for the scene.
        sizes = {"width": 128, "depth": 3} | sizes
    return dataclasses.replace(base, **kinds, **sizes)


def linear_config(options: FitOptions) -> LinearConfig:
    """The kind of linear: `full` unless a backbone is named."""
    name = options.backbone or "full"
    given = {k: v for k in ("rank", "omega") if (v := getattr(options, k)) is not None}
    known = {f.name for f in dataclasses.fields(LINEARS[name])}
    for key in given.keys() - known:
        raise FieldlrError(
            f"--{key} has no meaning for the backbone {name}. Leave it out, or choose "
            f"--backbone {'sine-low-rank' if key == 'omega' else 'low-rank or sine-low-rank'}."
        )
    return LINEARS[name](**given)


def fit_config(options: FitOptions, kind: str) -> FitConfig:
    """When the fit ends: the user's word, else the preset's."""
    seconds, steps = options.seconds, options.steps
    if seconds is None and steps is None:
        group = "photos" if kind == "photos" else "shape"
        if options.preset == "paper":
            steps = PAPER_STEPS[group]
        else:
            seconds = SECONDS[group][options.preset]
    return FitConfig(steps, seconds, options.seed)


def make_task(source: Source, options: FitOptions) -> Task:
    """The task of a source, with the way of training that settled options ask for."""
    if source.kind == "photos":
        settings = PHOTO_PRESETS[options.preset][1]
        if options.optimizer == "adam":
            settings = dataclasses.replace(settings, matrix_rate=None)
        return RadianceTask(source.content, settings)
    settings = SHAPE_PRESETS[options.preset]
    if options.optimizer == "adam":
        settings = dataclasses.replace(settings, matrix_rate=None, newton_after=None)
    return OccupancyTask(source.content, settings)
