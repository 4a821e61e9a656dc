"""Fitting a solid: which side of its surface is every voxel on?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fieldlr.data.volume import OccupancyVolume
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.geometry.triangles import TriangleMesh, voxelise
from fieldlr.metrics import shape
from fieldlr.nn.activations import Sine
from fieldlr.nn.execution import LossOfRows, RecordedLoss, fast_format, in_parts, layers_loss
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.surface import extract
from fieldlr.training.optim.gauss_newton import CURVATURE_ROWS, Parabola
from fieldlr.training.tasks.task import FEWEST_POINTS, parameter_groups, rank_share, warm_cosine

METRIC_VERSION = 1
# Voxels a call when every voxel is asked for.
SLAB_VOXELS = 1 << 19
# Muon's rates suit fits of so many steps; longer ones take smaller steps.
SHORT_FIT_STEPS = 1100
# Dense networks of larger widths take smaller steps, by the width.
FULL_RATE_WIDTH = 128
# By when Gauss-Newton takes over, Adam has slowed down to this; what the one ends at itself.
RATE_AT_NEWTON = 0.1
NEWTON_FINAL_RATE = 0.02
# A logit this near to the threshold in the fast number format is computed again in float32.
UNSURE_LOGIT = 1.0


@dataclass(frozen=True)
class OccupancySettings:
    """How a solid is sampled and how fast its field learns (Adam)."""

    points_per_step: int = 16384
    near_fraction: float = 0.5  # of the points lie within `near_voxels` of the surface
    near_voxels: int = 3
    dense_rate: float = 8e-3  # of a network that is dense throughout, up to FULL_RATE_WIDTH
    matrix_rate: float | None = 6e-3  # of its matrices between hidden layers (Muon; None: Adam),
    sine_matrix_rate: float = 2e-3  # and where sines multiply what goes into them by omega_0
    factor_rate: float = 2e-2  # of U and V, at most (`rank_share`), and
    phase_rate: float = 0.1  # radians a step, where a sine with its omega follows them, and
    end_rate: float = 5e-2  # of what is dense beside them: ends and biases
    final_rate: float = 0.02  # what the cosine ends at
    newton_after: int | None = 200  # steps, Gauss-Newton takes small sine-low-rank networks over,
    newton_most: int = 4000  # which store so many numbers at most,
    newton_points: int = 32768  # on so many points each


class OccupancyTask:
    """Binary cross-entropy at voxel centres, with a stated bias.

    A share `near_fraction` of the points is drawn near the surface and the rest anywhere, all
    with equal weight. So the loss is the cross-entropy under a density that prefers the
    neighbourhood of the surface, where IoU is decided; its minimum, the right sign at every
    voxel, is that of the unbiased loss, but an erring field errs less near the surface.
    """

    quality_name = "iou"

    def __init__(self, volume: OccupancyVolume, settings: OccupancySettings | None = None):
        self.volume = volume
        self.settings = settings or OccupancySettings()
        self.near = volume.near_surface(self.settings.near_voxels)
        self.recorded: tuple[OccupancyField, RecordedLoss] | None = None

    def make_field(self, config: FieldConfig, generator: torch.Generator) -> OccupancyField:
        return OccupancyField(config, Space("box", self.volume.aabb), generator=generator)

    def parameter_groups(self, field: OccupancyField) -> list[dict[str, Any]]:
        linear = field.config.linear
        slower = min(1.0, FULL_RATE_WIDTH / field.config.width)
        dense = isinstance(linear, Full)
        beside = self.settings.dense_rate * slower if dense else self.settings.end_rate
        rates = {"dense": beside, "grid": beside}
        if isinstance(linear, SineLowRank):
            rates["phase"] = self.settings.phase_rate
        elif isinstance(linear, LowRank):
            rates["factor"] = self.settings.factor_rate * rank_share(linear)
        muon = self.settings.matrix_rate is not None
        by_sine = isinstance(field.config.activation, Sine)
        matrix = self.settings.sine_matrix_rate if by_sine else self.settings.matrix_rate
        rates["matrix"] = matrix if muon else beside
        return parameter_groups(field, rates, muon)

    def rate(self, field: OccupancyField, progress: float, step: int) -> float:
        rate = warm_cosine(progress, step, self.settings.final_rate)
        if isinstance(field.config.linear, Full) and self.settings.matrix_rate and step:
            # What is fastest in a short fit is too much for a long one.
            rate *= min(1.0, SHORT_FIT_STEPS * progress / step) ** 0.5
        if self.newton_suits(field):
            rate *= 1.0 - (1.0 - RATE_AT_NEWTON) * min(1.0, step / self.settings.newton_after)
        return rate

    def draw(self, total: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Flat indices (total,) of the voxels of one step."""
        near = int(total * self.settings.near_fraction)
        chosen = torch.randint(len(self.near), (near,), generator=generator)
        anywhere = torch.randint(self.volume.num_voxels, (total - near,), generator=generator)
        return torch.cat([self.near[chosen], anywhere]).to(device)

    def loss(
        self, field: OccupancyField, generator: torch.Generator, progress: float
    ) -> tuple[Tensor, int]:
        """Mean binary cross-entropy of the logits at `draw`'s voxels."""
        points, target = self.batch(field, generator, self.settings.points_per_step)
        if self.recorded is None or self.recorded[0] is not field:
            recorded = RecordedLoss(partial(mean_cross_entropy, field), field.parameters())
            self.recorded = field, recorded
        return self.recorded[1](points, target), len(points)

    def batch(
        self, field: OccupancyField, generator: torch.Generator, total: int
    ) -> tuple[Tensor, Tensor]:
        """(points (total, 3), whether each is inside as 0 or 1 (total, 1))."""
        voxels = self.draw(total, generator, next(field.parameters()).device)
        return self.volume.centers(voxels), self.volume.occupied(voxels).float()[:, None]

    def newton_suits(self, field: OccupancyField) -> bool:
        """Whether Gauss-Newton ends the fit of this field."""
        if self.settings.newton_after is None or learns(field.encoding):
            return False
        # Muon is better for dense networks; U V^T is the same for many U and V, and Gauss-Newton
        # ends in poorer minima of it.
        sine = isinstance(field.config.linear, SineLowRank)
        return sine and field.num_parameters <= self.settings.newton_most

    def newton_step(
        self, field: OccupancyField, generator: torch.Generator, progress: float, step: int
    ) -> tuple[float, int] | None:
        if not self.newton_suits(field) or step < self.settings.newton_after:
            return None
        parabola = self.parabola(field, generator)
        # Long steps at first: their noise leads out of poor minima.
        falling = min(1.0, 2.0 * (1.0 - progress))
        parabola.descend(NEWTON_FINAL_RATE + (1.0 - NEWTON_FINAL_RATE) * falling)
        return parabola.loss, len(parabola.x)

    def parabola(
        self,
        field: OccupancyField,
        generator: torch.Generator,
        curvature_rows: int = CURVATURE_ROWS,
    ) -> Parabola | None:
        if learns(field.encoding):
            return None
        points, target = self.batch(field, generator, self.settings.newton_points)
        loss_of_rows = cross_entropy(target)
        return Parabola(field.mlp, field.encoded(points), loss_of_rows, curvature, curvature_rows)

    def smaller(self) -> bool:
        halves = {"points_per_step": self.settings.points_per_step // 2}
        halves["newton_points"] = self.settings.newton_points // 2
        self.settings, self.recorded = dataclasses.replace(self.settings, **halves), None
        return min(halves.values()) >= FEWEST_POINTS

    def collapsed(self, field: OccupancyField, losses: list[float]) -> bool:
        return False

    def quality(self, field: OccupancyField) -> float:
        """IoU over a fixed sample of 2^18 voxels."""
        generator = torch.Generator().manual_seed(0)
        voxels = torch.randint(self.volume.num_voxels, (1 << 18,), generator=generator)
        both, either = self._count(field, voxels)
        return both / max(either, 1)

    @torch.no_grad()
    def iou(self, field: OccupancyField) -> float:
        """IoU of the field and the solid over every voxel of the grid."""

        def count(part: slice) -> tuple[int, int]:
            return self._count(field, torch.arange(part.start, part.stop))

        counts = list(in_parts(count, self.volume.num_voxels, SLAB_VOXELS))
        both, either = (sum(column) for column in zip(*counts, strict=True))
        return both / max(either, 1)

    def evaluate(self, field: OccupancyField) -> dict[str, Any]:
        """The IoU of the field over every voxel, and what it was taken over."""
        return {
            "iou": self.iou(field),
            "grid": list(self.volume.shape),
            "metric_version": METRIC_VERSION,
        }

    def evaluate_surface(self, field: OccupancyField, resolution: int) -> dict[str, Any]:
        """Figures of the extracted mesh: its IoU on the grid, and its distance to the surface.

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
        """(voxels full in both, voxels full in either)."""
        voxels = voxels.to(next(field.parameters()).device)
        inside = field_signs(field, self.volume.centers(voxels))
        truth = self.volume.occupied(voxels)
        return int((inside & truth).sum()), int((inside | truth).sum())


def learns(encoding: nn.Module) -> bool:
    """Whether an encoding has numbers of its own to learn."""
    return any(True for _ in encoding.parameters())


def mean_cross_entropy(field: OccupancyField, points: Tensor, target: Tensor) -> Tensor:
    """The mean over points (N, 3) that are inside or not, as 1 or 0 (N, 1)."""
    if learns(field.encoding):
        return functional.binary_cross_entropy_with_logits(field.level(points)[:, None], target)
    encoded = field.encoded(points)
    return layers_loss(field.mlp.layers(), encoded, cross_entropy(target)) / len(points)


def cross_entropy(target: Tensor) -> LossOfRows:
    """The binary cross-entropy of logits with `target` (N, 1)."""

    def of_rows(logits: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        loss = functional.binary_cross_entropy_with_logits(logits, target[rows], reduction="sum")
        return loss, torch.sigmoid(logits) - target[rows]

    return of_rows


def curvature(logits: Tensor) -> Tensor:
    """Its second derivative, a little of it everywhere: saturated voxels may still change."""
    inside = torch.sigmoid(logits)
    return (inside * (1.0 - inside)).clamp_min(1e-3)


def surface_of(volume: OccupancyVolume) -> TriangleMesh:
    """The surface that a solid came with, else that of marching cubes over its voxel centres."""
    return volume.mesh or _boolean_surface(volume)


def _boolean_surface(volume: OccupancyVolume) -> TriangleMesh:
    counts = torch.tensor(volume.shape)

    def level(points: Tensor) -> Tensor:
        # The box of the centres, one voxel larger all around: what lies outside is empty.
        index = (around.to_unit(points) + 1.0).mul_(0.5) * (counts + 1) - 1.0
        nearest = index.round().long()
        known = ((nearest >= 0) & (nearest < counts)).all(-1)
        i, j, k = nearest.clamp_min(0).minimum(counts - 1).unbind(-1)
        flat = (i * volume.shape[1] + j) * volume.shape[2] + k
        return (volume.occupied(flat) & known).float() - 0.5

    half = [0.5 * size for size in volume.voxel_size]
    low = tuple(v - h for v, h in zip(volume.aabb.minimum, half, strict=True))
    high = tuple(v + h for v, h in zip(volume.aabb.maximum, half, strict=True))
    around = Aabb(low, high)
    return extract(level, around, max(volume.shape) + 2, dense=True).mesh


def field_signs(field: OccupancyField, points: Tensor) -> Tensor:
    """Whether each of the points (M, 3) is inside, as float32 arithmetic has it."""
    encoded = field.encoded(points)
    fast = fast_format(points.device.type)
    logits = field.mlp(encoded, fast)[:, 0]
    if fast != torch.float32:
        unsure = (logits.abs() < UNSURE_LOGIT).nonzero()[:, 0]
        logits[unsure] = field.mlp(encoded[unsure])[:, 0]
    return logits > 0.0
