"""The task of fitting a solid: classify voxels as inside or outside."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.data.volume import OccupancyVolume
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.spaces import Space
from fieldlr.geometry.triangles import voxelise
from fieldlr.metrics import shape
from fieldlr.nn.execution import RecordedLoss, in_parts
from fieldlr.surface import extract
from fieldlr.training.optim import OPTIMIZERS, OptimizerChoice
from fieldlr.training.optim.gauss_newton import CURVATURE_ROWS, QuadraticModel
from fieldlr.training.tasks.cross_entropy import cross_entropy, curvature, mean_cross_entropy
from fieldlr.training.tasks.solids import field_signs, surface_of
from fieldlr.training.tasks.task import (
    FEWEST_POINTS,
    Preset,
    SecondOrder,
    parameter_groups,
    warm_cosine,
)

SHAPE_METRIC_VERSION = 1
# Voxels per call in evaluations over all voxels.
SLAB_VOXELS = 1 << 19
# Voxels of a quick estimate, and the fewest of an evaluation.
QUICK_VOXELS, FEWEST_VOXELS = 1 << 18, 1 << 21
# Muon's learning rates are for fits of this many steps; longer fits use smaller ones.
SHORT_FIT_STEPS = 1100
# Dense networks wider than this use learning rates in inverse proportion to the width.
FULL_LEARNING_RATE_WIDTH = 128
# The learning rate factor that Adam has reached when Gauss-Newton takes over, and the factor on
# Gauss-Newton's steps at the end.
ADAM_FINAL_FACTOR = 0.1
NEWTON_FINAL_FACTOR = 0.02

POINTS = 16_384  # of a step
OUTCOMES = {"good": 1500, "best": 3800}  # in steps


@dataclass(frozen=True)
class OccupancySettings:
    """Sampling of a solid and learning rates of its field (Adam unless stated)."""

    points_per_step: int = POINTS
    near_fraction: float = 0.5  # of the points lie within `near_voxels` of the surface
    near_voxels: int = 3
    dense_rate: float = 8e-3  # of dense networks, up to FULL_LEARNING_RATE_WIDTH
    matrix_rate: float | None = 6e-3  # of their matrices between hidden layers (Muon; None: Adam)
    sine_matrix_rate: float = 2e-3  # the same for sine activations with omega_0
    factor_rate: float = 2e-2  # of U and V of low-rank layers, at most
    phase_rate: float = 0.1  # of U and V of sine-low-rank layers: radians of phase per step
    end_rate: float = 5e-2  # of the dense first and last layers and biases of factorised networks
    final_rate: float = 0.02  # the factor at the end of the cosine schedule
    newton_after: int | None = 200  # steps after which Gauss-Newton takes over small networks
    newton_most: int = 4000  # parameters up to which it does
    newton_points: int = 32768  # points per Gauss-Newton step


# `paper` draws 200,000 uniform voxels per step, for 200 epochs over the Thai statue's grid.
PRESETS = {
    "quick": Preset(FieldConfig(), OccupancySettings(), 60.0, None, OUTCOMES, POINTS),
    "standard": Preset(FieldConfig(), OccupancySettings(), 240.0, None, OUTCOMES, POINTS),
    "paper": Preset(
        FieldConfig(),
        OccupancySettings(
            points_per_step=200_000, near_fraction=0.0, newton_after=None, matrix_rate=None
        ),
        steps=40_400,
    ),
}


class OccupancyTask:
    """Binary cross-entropy at voxel centres, with points concentrated near the surface.

    A fraction `near_fraction` of the points is drawn near the surface and the rest uniformly, all
    with equal weight. So the loss is biased towards the neighbourhood of the surface, where IoU
    is decided. Its minimum, the right sign at every voxel, is that of the unbiased loss.
    """

    name: ClassVar[str] = "occupancy"
    summary: ClassVar[str] = "occupancy of a solid from a mesh or volume"
    kinds: ClassVar[tuple[str, ...]] = ("mesh", "volume")
    presets: ClassVar[dict[str, Preset]] = PRESETS
    quality_name = "iou"
    corrections = None  # there are no photos

    def __init__(
        self,
        volume: OccupancyVolume,
        settings: OccupancySettings | None = None,
        optimizer: OptimizerChoice = OPTIMIZERS["auto"],
    ):
        self.volume, self.optimizer = volume, optimizer
        self.settings = settings or OccupancySettings()
        self.near = volume.near_surface(self.settings.near_voxels)
        self.recorded: tuple[OccupancyField, RecordedLoss] | None = None

    @property
    def second_order(self) -> SecondOrder[OccupancyField]:
        return self

    @property
    def _matrices_apart(self) -> bool:
        return self.optimizer.matrices is not None and self.settings.matrix_rate is not None

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> OccupancyField:
        space = Space("box", self.volume.aabb)
        return OccupancyField(config, space, self.volume.frame, generator)

    def parameter_groups(self, field: OccupancyField) -> list[dict[str, Any]]:
        config, settings = field.config, self.settings
        slower = min(1.0, FULL_LEARNING_RATE_WIDTH / config.width)
        beside = settings.dense_rate * slower if config.linear.is_dense else settings.end_rate
        matrix = settings.matrix_rate if self._matrices_apart else None
        if matrix is not None and config.activation.scales_frequencies:
            matrix = settings.sine_matrix_rate
        rates = {
            "dense": beside,
            "table": beside,
            "line": beside,
            "factor": settings.factor_rate,
            "phase": settings.phase_rate,
            "matrix": beside if matrix is None else matrix,
        }
        return parameter_groups(field, rates, matrix is not None)

    def learning_rate_factor(self, field: OccupancyField, progress: float, step: int) -> float:
        factor = warm_cosine(progress, step, self.settings.final_rate)
        if field.config.linear.is_dense and self._matrices_apart and step:
            # Long fits need a lower learning rate than short ones.
            factor *= min(1.0, SHORT_FIT_STEPS * progress / step) ** 0.5
        after = self.settings.newton_after
        if after is not None and self.uses_gauss_newton(field):
            factor *= 1.0 - (1.0 - ADAM_FINAL_FACTOR) * min(1.0, step / after)
        return factor

    def draw(
        self, total: int, generator: torch.Generator, device: torch.device
    ) -> Int[Tensor, " total"]:
        """Flat indices (total,) of random voxels for one step."""
        near = int(total * self.settings.near_fraction)
        chosen = torch.randint(len(self.near), (near,), generator=generator)
        anywhere = torch.randint(self.volume.num_voxels, (total - near,), generator=generator)
        return torch.cat([self.near[chosen], anywhere]).to(device)

    def loss(
        self, field: OccupancyField, generator: torch.Generator, progress: float
    ) -> tuple[Float[Tensor, ""], int]:
        """Mean binary cross-entropy of the logits at random voxels."""
        points, target = self.batch(field, generator, self.settings.points_per_step)
        if self.recorded is None or self.recorded[0] is not field:
            recorded = RecordedLoss(partial(mean_cross_entropy, field), field.parameters())
            self.recorded = field, recorded
        return self.recorded[1](points, target), len(points)

    def batch(
        self, field: OccupancyField, generator: torch.Generator, total: int
    ) -> tuple[Float[Tensor, "total 3"], Float[Tensor, "total 1"]]:
        """(points (total, 3), whether each is inside as 0 or 1 (total, 1))."""
        voxels = self.draw(total, generator, next(field.parameters()).device)
        return self.volume.centers(voxels), self.volume.occupied(voxels).float()[:, None]

    def uses_gauss_newton(self, field: OccupancyField) -> bool:
        """Whether Gauss-Newton takes over the training of this field."""
        if not self.optimizer.uses_gauss_newton or self.settings.newton_after is None:
            return False
        if field.config.encoding.learns:
            return False
        suits = field.config.linear.uses_gauss_newton
        return suits and field.num_parameters <= self.settings.newton_most

    def gauss_newton_step(
        self, field: OccupancyField, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        after = self.settings.newton_after
        if after is None or not self.uses_gauss_newton(field) or step < after:
            return None
        model = self.quadratic_model(field, generator)
        if model is None:
            return None
        # Large steps at first: their noise helps to leave poor minima.
        falling = min(1.0, 2.0 * (1.0 - progress))
        model.descend(NEWTON_FINAL_FACTOR + (1.0 - NEWTON_FINAL_FACTOR) * falling)
        return model.loss, len(model.x)

    def quadratic_model(
        self,
        field: OccupancyField,
        generator: torch.Generator,
        curvature_rows: int = CURVATURE_ROWS,
    ) -> QuadraticModel | None:
        if field.config.encoding.learns or not field.config.linear.has_jacobian:
            return None
        points, target = self.batch(field, generator, self.settings.newton_points)
        encoded, loss_of_rows = field.encoded(points), cross_entropy(target)
        return QuadraticModel(field.mlp, encoded, loss_of_rows, curvature, curvature_rows)

    def halve_batch(self) -> bool:
        halves = {"points_per_step": self.settings.points_per_step // 2}
        halves["newton_points"] = self.settings.newton_points // 2
        self.settings, self.recorded = dataclasses.replace(self.settings, **halves), None
        return min(halves.values()) >= FEWEST_POINTS

    def collapsed(self, field: OccupancyField, losses: list[float]) -> bool:
        return False

    def quality(self, field: OccupancyField) -> float:
        """IoU over a fixed random sample of QUICK_VOXELS, or all where the grid has no more."""
        if self.volume.num_voxels <= QUICK_VOXELS:
            return self.iou(field)
        generator = torch.Generator().manual_seed(0)
        voxels = torch.randint(self.volume.num_voxels, (QUICK_VOXELS,), generator=generator)
        both, either = self._count(field, voxels)
        return both / max(either, 1)

    @torch.no_grad()
    def iou(self, field: OccupancyField, voxels: int | None = None) -> float:
        """IoU of the field and the solid over all voxels of the grid, or over so many of them.

        Those are one of each stretch of the grid's voxels, at random: evenly spread, and in step
        with nothing.
        """
        total, generator = self.volume.num_voxels, torch.Generator().manual_seed(0)
        count = total if voxels is None else min(voxels, total)

        def counted(part: slice) -> tuple[int, int]:
            chosen = torch.arange(part.start, part.stop)
            if count < total:
                inside = torch.rand(len(chosen), dtype=torch.float64, generator=generator)
                chosen = ((chosen + inside) * (total / count)).long().clamp_(max=total - 1)
            return self._count(field, chosen)

        counts = list(in_parts(counted, count, SLAB_VOXELS))
        both, either = (sum(column) for column in zip(*counts, strict=True))
        return both / max(either, 1)

    def evaluate(self, field: OccupancyField, budget: int | None = None) -> dict[str, Any]:
        """The grid, and the IoU over all of its voxels, or over those of the `budget`."""
        total = self.volume.num_voxels
        some = total if budget is None else max(budget, FEWEST_VOXELS)
        figures: dict[str, Any] = {
            "iou": self.iou(field, some),
            "grid": list(self.volume.shape),
            "metric_version": SHAPE_METRIC_VERSION,
        }
        if some < total:
            figures["measured_on"] = f"{some:,} of {total:,} voxels"
        return figures

    def evaluate_surface(self, field: OccupancyField, resolution: int) -> dict[str, Any]:
        """Metrics of the extracted mesh: IoU on the grid, and distances to the true surface.

        Distances are in the user's units; `relative` ones are divided by the longest edge of the
        true surface's box.
        """
        volume = self.volume
        extraction = extract(field.level, volume.aabb, resolution)
        grid = voxelise(extraction.mesh, volume.aabb, volume.shape)
        truth = surface_of(volume)
        figures = {"iou_mesh": shape.iou(grid, volume.dense())}
        distances = shape.surface_distances(truth, extraction.mesh)
        return figures | {
            **dataclasses.asdict(distances),
            "chamfer_l1_relative": distances.chamfer_l1_relative,
            "signed_offset_relative": distances.signed_offset_relative,
            "mesh_resolution": resolution,
        }

    @torch.no_grad()
    def _count(self, field: OccupancyField, voxels: Tensor) -> tuple[int, int]:
        """(voxels inside in both, voxels inside in either)."""
        voxels = voxels.to(next(field.parameters()).device)
        inside = field_signs(field, self.volume.centers(voxels))
        truth = self.volume.occupied(voxels)
        return int((inside & truth).sum()), int((inside | truth).sum())
