"""Fitting posed photos: which colours and densities make every pixel?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.data.scene import Scene
from fieldlr.data.sight import require_sight
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.rays import Rays
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import Frequency, HashGrid
from fieldlr.rendering.compositing import Composite
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.render import BLACK, WHITE, render_rays
from fieldlr.rendering.samplers import grid_sampler, sampler_for
from fieldlr.rendering.thinning import thinned_rays
from fieldlr.training.optim import OPTIMIZERS, OptimizerChoice
from fieldlr.training.tasks.corrections import NOTHING, PhotoCorrections
from fieldlr.training.tasks.held_out import HeldOut
from fieldlr.training.tasks.pixels import TrainingPixels
from fieldlr.training.tasks.task import (
    FEWEST_POINTS,
    Preset,
    SecondOrder,
    parameter_groups,
    warm_cosine,
)

# Steps between two looks at the occupancy grid, and the share of its cells that a look takes.
GRID_EVERY = 16
GRID_SHARE = 0.25
MOST_RAYS = 16384
# After so many steps densities say well enough which intervals matter; for a while yet steps along
# a ray are COARSER times as long as later. The first part of a fit, ROUGH, is composited roughly.
THIN_AFTER, COARSE_STEPS, COARSER, ROUGH = 64, 256, 8 / 3, 0.4
# The steps of an attempt between which a collapse is looked for.
COLLAPSE_STEPS = (200, 500)
# Random rays scatter a collapsed field's loss; one that learns is far below by then. Photos of one
# colour alone, to less than half a grey level, can be fitted by a collapsed field only.
COLLAPSE_SHARE, ONE_COLOR_MSE = 0.9, (0.5 / 255.0) ** 2


@dataclass(frozen=True)
class RadianceSettings:
    """How photos are sampled and how fast a field learns from them (Adam)."""

    samples_per_step: int = 32768  # network evaluations; rays follow from how many a ray needs
    rays_per_step: int | None = None  # a fixed number of rays instead
    grid_rate: float = 1e-2
    dense_rate: float = 4e-3
    factor_rate: float = 5e-3  # of U and V
    alone: float = 4.0  # times these two where no grid helps the MLP, and there
    phase_rate: float = 0.1  # radians a step of U and V under a sine
    matrix_rate: float | None = 5e-3  # of matrices between hidden layers (Muon; None: Adam)
    final_rate: float = 0.03  # what the cosine ends at
    decay_steps: int | None = None  # instead: x 0.1 every so many steps
    density_noise: float = 0.0
    correct: str = NOTHING  # of each photo: one of CORRECTIONS


@dataclass(frozen=True)
class Batch:
    """M rays of photos (M,), the colours that they should see, and the background behind them."""

    photos: Int[Tensor, " m"]
    rays: Rays
    target: Float[Tensor, "m 3"]
    background: Float[Tensor, " 3"] | Float[Tensor, "m 3"]


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
    ),
    "standard": Preset(
        FieldConfig(
            encoding=HashGrid(num_levels=10, finest=2048, log2_table_size=19),
            activation=Relu(),
            width=64,
            depth=1,
        ),
        RadianceSettings(samples_per_step=65536),
        seconds=1200.0,
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


class RadianceTask:
    """Mean squared error of the colours of random training pixels.

    Photos with alpha are seen before a random background, another for each ray, so that what is
    transparent has to become empty; photos of a world without end too, so that every ray has to
    end on something. Photos with alpha are evaluated before white, others before black.
    """

    name: ClassVar[str] = "radiance"
    summary: ClassVar[str] = "posed photos: which colours and densities make every pixel?"
    kinds: ClassVar[tuple[str, ...]] = ("photos",)
    presets: ClassVar[dict[str, Preset]] = PRESETS
    quality_name = "psnr_db"
    # A radiance field stores too much for them.
    second_order: SecondOrder[RadianceField] | None = None

    def __init__(
        self,
        scene: Scene,
        settings: RadianceSettings | None = None,
        optimizer: OptimizerChoice = OPTIMIZERS["auto"],
    ):
        require_sight(scene)
        self.scene, self.optimizer = scene, optimizer
        self.settings = settings or RadianceSettings()
        self.pixels = TrainingPixels(scene)
        self.background = WHITE if self.pixels.has_alpha else BLACK
        self.held_out = HeldOut(scene, self.background)
        self.corrections: PhotoCorrections | None = None
        self._begin_corrections()

    def _begin_corrections(self) -> None:
        """All photos as they are, where any correction is asked for."""
        if self.settings.correct != NOTHING:
            space, count = self.scene.space, len(self.scene.train)
            # The box of a forward-facing capture reaches to its far end; its near one is its unit.
            unit = space.near if space.kind == "ndc" else 0.5 * space.aabb.longest_edge
            self.corrections = PhotoCorrections(count, unit, self.settings.correct)

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> RadianceField:
        self._begin_corrections()
        return RadianceField(config, self.scene.space, self.scene.frame, generator)

    def parameter_groups(self, field: RadianceField) -> list[dict[str, Any]]:
        rates = {
            "table": self.settings.grid_rate,
            "factor": self.settings.factor_rate,
            "dense": self.settings.dense_rate,
        }
        if field.config.alone:
            rates["factor"] *= self.settings.alone
            rates["dense"] *= self.settings.alone
            rates["phase"] = self.settings.phase_rate
        matrix = self.settings.matrix_rate if self.optimizer.uses_muon else None
        muon = matrix is not None
        rates["matrix"] = rates["dense"] if matrix is None else matrix
        return parameter_groups(field, rates, muon, scaled=field.config.alone)

    def rate(self, field: RadianceField, progress: float, step: int) -> float:
        if self.settings.decay_steps:
            return 0.1 ** (step / self.settings.decay_steps)
        return warm_cosine(progress, step, self.settings.final_rate)

    def loss(
        self, field: RadianceField, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        """Mean squared error, summed over the networks, and the samples that it took."""
        steps, samples_per_ray = field.training_state.tolist()
        if len(field.networks) == 1 and steps % GRID_EVERY == 0:
            self._update_grid(field, generator)
        num_rays = self.settings.rays_per_step or self._rays_for(field, samples_per_ray)
        batch = self.draw(num_rays, generator, _device(field))
        seen, num_samples = self._see(field, batch, generator, progress)
        field.training_state.copy_(torch.tensor([steps + 1.0, num_samples / num_rays]))
        first, *others = (((self._shown(s, batch) - batch.target) ** 2).mean() for s in seen)
        if self.corrections is not None:
            first = first + self.corrections.cost()
        return sum(others, first), num_samples

    def _shown(self, seen: Composite, batch: Batch) -> Float[Tensor, "n 3"]:
        """The colours that rays see, as their photos show them before the same background."""
        if self.corrections is None:
            return seen.rgb
        behind = (1.0 - seen.opacity)[:, None] * batch.background
        return self.corrections.photographed(batch.photos, seen.rgb - behind) + behind

    def _see(
        self, field: RadianceField, batch: Batch, generator: torch.Generator, progress: float
    ) -> tuple[list[Composite], int]:
        """What training rays see, and what that cost."""
        steps, rays, background = int(field.training_state[0]), batch.rays, batch.background
        if self.corrections is not None:
            rays = self.corrections.rays(batch.photos, rays)
        if len(field.networks) > 1 or field.config.alone:
            noise = self.settings.density_noise
            return render_rays(field, rays, background, generator, noise)
        sampler = grid_sampler(field, COARSER if steps < COARSE_STEPS else 1.0)
        if steps < THIN_AFTER:
            return render_rays(field, rays, background, generator, sampler=sampler)
        rough = progress < ROUGH
        seen, cost = thinned_rays(field, sampler, rays, background, generator, rough)
        return [seen], cost

    def draw(self, num_rays: int, generator: torch.Generator, device: torch.device) -> Batch:
        """Random rays of the training photos."""
        drawn = self.pixels.draw(num_rays, generator)
        target, alpha = drawn.colors, drawn.alpha
        background = target.new_tensor(self.background)
        if alpha is not None or self.scene.space.kind != "box":
            background = torch.rand(target.shape, generator=generator)
        if alpha is not None:
            target = alpha * target + (1.0 - alpha) * background
        rays = Rays(drawn.rays.origins.to(device), drawn.rays.directions.to(device))
        return Batch(drawn.photos.to(device), rays, target.to(device), background.to(device))

    def halve_batch(self) -> bool:
        samples, rays = self.settings.samples_per_step // 2, self.settings.rays_per_step
        rays = rays and max(1, rays // 2)
        self.settings = replace(self.settings, samples_per_step=samples, rays_per_step=rays)
        return samples >= FEWEST_POINTS

    def collapsed(self, field: RadianceField, losses: list[float]) -> bool:
        """Whether, some hundred steps in, no single colour would be worse: all white, all black."""
        if not COLLAPSE_STEPS[0] <= len(losses) < COLLAPSE_STEPS[1]:
            return False
        recent = sum(losses[-50:]) / 50 / len(field.networks)
        return recent > COLLAPSE_SHARE * max(self.pixels.constant_mse, ONE_COLOR_MSE)

    def quality(self, field: RadianceField) -> float:
        return self.held_out.quality(field)

    def evaluate(self, field: RadianceField) -> dict[str, Any]:
        found = self.held_out.evaluate(field)
        if self.corrections is not None:
            found |= self.corrections.figures(self.scene.frame.scale)
        return found

    def _rays_for(self, field: RadianceField, samples_per_ray: float) -> int:
        """Rays whose samples are about `samples_per_step`."""
        expected = samples_per_ray or sampler_for(field).most_samples
        return int(min(max(self.settings.samples_per_step / max(expected, 0.5), 64), MOST_RAYS))

    def _update_grid(self, field: RadianceField, generator: torch.Generator) -> None:
        OccupancyGrid.of(field).update(field.networks[-1].rough_density, GRID_SHARE, generator)


def _device(field: RadianceField) -> torch.device:
    return field.cell_density.device
