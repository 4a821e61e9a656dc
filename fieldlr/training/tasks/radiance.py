"""Fitting posed photos: which colours and densities make every pixel?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.scene import Scene
from fieldlr.data.sight import require_sight
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.rays import Rays
from fieldlr.rendering.compositing import Composite
from fieldlr.rendering.occupancy_grid import OccupancyGrid
from fieldlr.rendering.render import BLACK, WHITE, render_rays
from fieldlr.rendering.samplers import grid_sampler, sampler_for
from fieldlr.rendering.thinning import thinned_rays
from fieldlr.training.optim import OPTIMIZERS, OptimizerChoice
from fieldlr.training.tasks.corrections import NOTHING, PhotoCorrections
from fieldlr.training.tasks.held_out import HeldOut
from fieldlr.training.tasks.pixels import Batch, TrainingPixels
from fieldlr.training.tasks.radiance_settings import PRESETS, RadianceSettings
from fieldlr.training.tasks.task import (
    FEWEST_POINTS,
    Preset,
    SecondOrder,
    parameter_groups,
    warm_cosine,
)

# Steps between two updates of the occupancy grid, and the share of its cells that each samples.
GRID_EVERY = 16
GRID_SHARE = 0.25
MOST_RAYS = 16384
# After THIN_AFTER steps densities predict well enough which intervals matter; until COARSE_STEPS
# ray steps are COARSER times as long. The first share ROUGH of a fit is composited roughly.
THIN_AFTER, COARSE_STEPS, COARSER, ROUGH = 64, 256, 8 / 3, 0.4
# Little is expected within CLEAR times the distance at which rays begin; an opaque sample at their
# very beginning adds NEAR_COST to the loss.
CLEAR, NEAR_COST = 2.5, 0.2
# The steps of an attempt between which a collapse is looked for.
COLLAPSE_STEPS = (200, 500)
# The loss of a collapsed field scatters with the rays; one that learns is far below it. Photos of
# one colour alone, to less than half a grey level, can be fitted by a collapsed field only.
COLLAPSE_SHARE, ONE_COLOR_MSE = 0.9, (0.5 / 255.0) ** 2


class RadianceTask:
    """Mean squared error of the colours of random training pixels.

    Photos with alpha get a random background, another for each ray, so that transparent space
    becomes empty; photos of unbounded scenes too, so that every ray ends on something. Photos with
    alpha are evaluated on white, others on black.
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
            "line": self.settings.line_rate,
            "factor": self.settings.factor_rate,
            "dense": self.settings.dense_rate,
        }
        if field.config.is_pure_mlp:
            rates["factor"] *= self.settings.alone
            rates["dense"] *= self.settings.alone
            rates["phase"] = self.settings.phase_rate
        matrix = self.settings.matrix_rate if self.optimizer.matrices else None
        apart = matrix is not None
        rates["matrix"] = rates["dense"] if matrix is None else matrix
        return parameter_groups(field, rates, apart, scaled=field.config.is_pure_mlp)

    def learning_rate_factor(self, field: RadianceField, progress: float, step: int) -> float:
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
        first, *others = (
            ((self._shown(s, batch) - batch.target) ** 2).mean() + self._near_cost(s) for s in seen
        )
        if self.corrections is not None:
            first = first + self.corrections.penalty()
        return sum(others, first), num_samples

    def _near_cost(self, seen: Composite) -> Float[Tensor, ""]:
        """The penalty on opacity close to a camera.

        There a field can explain each photo by a copy that no other camera sees. Real content costs
        more in the photometric loss (Yang et al. 2023, "FreeNeRF", section 4.3, here with a weight
        that falls off).
        """
        space = self.scene.space
        if space.kind != "contracted":
            return seen.rgb.new_zeros(())
        closeness = (1.0 - seen.samples.midpoints / (CLEAR * space.near)).clamp_min(0.0)
        return NEAR_COST / seen.samples.num_rays * (seen.weights * closeness**2).sum()

    def _shown(self, seen: Composite, batch: Batch) -> Float[Tensor, "n 3"]:
        """The colours of rays with the corrections of their photos, on the same background."""
        if self.corrections is None:
            return seen.rgb
        behind = (1.0 - seen.opacity)[:, None] * batch.background
        return self.corrections.apply_exposure(batch.photos, seen.rgb - behind) + behind

    def _see(
        self, field: RadianceField, batch: Batch, generator: torch.Generator, progress: float
    ) -> tuple[list[Composite], int]:
        """The composites of training rays, and the number of samples."""
        steps, rays, background = int(field.training_state[0]), batch.rays, batch.background
        if self.corrections is not None:
            rays = self.corrections.rays(batch.photos, rays)
        if len(field.networks) > 1 or field.config.is_pure_mlp:
            noise = self.settings.density_noise
            sampler = sampler_for(field)
            return render_rays(field, rays, background, generator, noise, sampler)
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
        """Whether the loss, some hundred steps in, is no better than that of a single colour."""
        if not COLLAPSE_STEPS[0] <= len(losses) < COLLAPSE_STEPS[1]:
            return False
        recent = sum(losses[-50:]) / 50 / len(field.networks)
        return recent > COLLAPSE_SHARE * max(self.pixels.constant_mse, ONE_COLOR_MSE)

    def quality(self, field: RadianceField) -> float:
        return self.held_out.quality(field)

    def evaluate(self, field: RadianceField, budget: int | None = None) -> dict[str, Any]:
        found = self.held_out.evaluate(field, budget)
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
