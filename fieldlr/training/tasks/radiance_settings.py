"""Sampling and learning rates of photos, and their presets."""

from __future__ import annotations

from dataclasses import dataclass

from fieldlr.fields.config import FieldConfig
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import Cp, Frequency, HashGrid
from fieldlr.training.tasks.corrections import NOTHING
from fieldlr.training.tasks.task import Preset

SAMPLES = 32_768  # of a step
OUTCOMES = {"good": 1300, "best": 5000}  # in steps


@dataclass(frozen=True)
class RadianceSettings:
    """Sampling of photos, and learning rates (Adam unless stated)."""

    samples_per_step: int = SAMPLES  # network evaluations; rays follow from how many a ray needs
    rays_per_step: int | None = None  # a fixed number of rays instead
    grid_rate: float = 1e-2
    line_rate: float = 4e-2  # of lines and planes
    dense_rate: float = 4e-3
    factor_rate: float = 5e-3  # of U and V
    alone: float = 4.0  # the factor of these two in pure MLPs, which also have
    phase_rate: float = 0.1  # radians per step, of U and V under a sine
    matrix_rate: float | None = 5e-3  # of matrices between hidden layers (Muon; None: Adam)
    final_rate: float = 0.03  # what the cosine ends at
    decay_steps: int | None = None  # instead: x 0.1 every so many steps
    density_noise: float = 0.0
    correct: str = NOTHING  # of each photo: one of CORRECTIONS


PRESETS = {
    "quick": Preset(
        FieldConfig(
            encoding=HashGrid(finest=1024, log2_table_size=18),
            activation=Relu(),
            width=64,
            depth=1,
        ),
        RadianceSettings(),
        seconds=300.0,
        outcomes=OUTCOMES,
        samples_per_step=SAMPLES,
    ),
    "standard": Preset(
        FieldConfig(
            encoding=HashGrid(num_levels=10, finest=2048, log2_table_size=19),
            activation=Relu(),
            width=64,
            depth=1,
        ),
        RadianceSettings(samples_per_step=2 * SAMPLES),
        seconds=1200.0,
        outcomes=OUTCOMES,
        samples_per_step=2 * SAMPLES,
    ),
    "compact": Preset(
        FieldConfig(
            encoding=Cp(),
            activation=Relu(),
            width=64,
            depth=1,
        ),
        RadianceSettings(),
        seconds=300.0,
        outcomes=OUTCOMES,
        samples_per_step=SAMPLES,
    ),
    "paper": Preset(
        FieldConfig(
            encoding=Frequency(10),
            activation=Relu(),
            width=256,
            depth=7,
            skips=(5,),
            network="nerf",
        ),
        RadianceSettings(
            rays_per_step=1024,
            dense_rate=5e-4,
            factor_rate=5e-4,
            matrix_rate=None,
            decay_steps=250_000,
            density_noise=1.0,
        ),
        steps=200_000,
    ),
}
