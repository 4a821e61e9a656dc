"""Baselines for solids: a coarse grid of signed distances, clipped, by codecs of others.

What an engineer of codecs would store: distances are smooth where occupancy jumps, and nothing far
from the surface matters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt

from fieldlr.data.volume import OccupancyVolume
from fieldlr.metrics.shape import iou
from fieldlr.study.baselines.cells import above, between, cell_means
from fieldlr.study.baselines.packers import CodecFailed, Counts, Packer, packers
from fieldlr.study.baselines.search import Tries
from fieldlr.training.tasks import OccupancyTask

FACTORS = (2, 3, 4, 5, 6, 8, 10, 13)  # voxels along the edge of a cell
CLIPS = (0.75, 1.5, 3.0)  # cells from the surface
MIN_CELLS = 4  # along every edge
HEAD = struct.Struct("<3HB")  # shape; factor, with the interpolation in the highest bit
# No more bytes are tried beyond so many, or where they gain nothing so many times in a row: the
# figures of a few codecs, such as JPEG XL, go down before they go up.
MAX_BYTES, MIN_GAIN, IN_VAIN = 1 << 16, 5e-4, 2


@dataclass(frozen=True)
class DistanceSetting:
    factor: int
    clip: float
    quality: int  # its place among the packer's

    @property
    def label(self) -> str:
        return f"cells of {self.factor}³, clipped at {self.clip:g} cells, quality {self.quality}"


class CoarseDistances:
    """The signed distances of a solid, positive inside, in voxels, as means over cells."""

    def __init__(self, volume: OccupancyVolume):
        self.volume = volume
        self.means: dict[int, np.ndarray] = {}

    @cached_property
    def distances(self) -> Float[np.ndarray, "nx ny nz"]:
        solid = np.pad(self.volume.dense(), 1)  # Beyond the grid all is empty.
        inside, outside = (
            np.asarray(distance_transform_edt(part), np.float32) for part in (solid, ~solid)
        )
        # The surface is half a voxel from the nearest centre of the other kind.
        signed = np.where(solid, inside - 0.5, 0.5 - outside)
        return signed[1:-1, 1:-1, 1:-1]

    def grid(self, factor: int) -> Float[np.ndarray, "bx by bz"]:
        """Means over cells of factor³ voxels; the last cells may be smaller."""
        if factor not in self.means:
            self.means[factor] = cell_means(self.distances, factor)
        return self.means[factor]


class DistanceField:
    """A header of 7 bytes and the distances as a packer stores them."""

    measure, is_context = "iou", False

    def __init__(self, packer: Packer, coarse: CoarseDistances):
        self.packer, self.coarse = packer, coarse
        self.name = f"{packer.name} distances"
        self.words = (
            f"a coarse grid of signed distances, clipped, by {packer.name}: {packer.words}."
        )

    def settings(self, known: Tries) -> list[DistanceSetting]:
        """Of each grid and clip, from few bytes to many, as long as more bytes give more."""
        settings = []
        for factor in FACTORS:
            if factor * MIN_CELLS > min(self.coarse.volume.shape):
                continue
            for clip in CLIPS:
                settings += self._worthwhile(factor, clip, known)
        return settings

    def _worthwhile(self, factor: int, clip: float, known: Tries) -> list[DistanceSetting]:
        """Up to the first that is not known, where MAX_BYTES or the grid does not end it before."""
        settings, best, in_vain = [], 0.0, 0
        for quality in range(len(self.packer.qualities)):
            settings.append(DistanceSetting(factor, clip, quality))
            if settings[-1].label not in known:
                break
            found = known[settings[-1].label]
            if found is None:
                continue  # Where a codec failed, more bytes may do.
            num_bytes, figure = found
            in_vain = 0 if figure >= best + MIN_GAIN else in_vain + 1
            if num_bytes > MAX_BYTES or in_vain == IN_VAIN:
                break
            best = max(best, figure)
        return settings

    def measured(self, setting: DistanceSetting) -> tuple[int, float] | None:
        """Of the better interpolation; None where the codec fails."""
        try:
            files = self.encode(setting)
        except CodecFailed:
            return None
        solid = self.coarse.volume.dense()
        return len(files[0]), max(iou(solid, decode(data, self.packer)) for data in files)

    def encode(self, setting: DistanceSetting) -> tuple[bytes, bytes]:
        """The files for linear and for cubic interpolation, of which a codec keeps the better."""
        packed = self.packer.pack(
            _levels(self.coarse.grid(setting.factor), setting), setting.quality
        )
        shape, factor = self.coarse.volume.shape, setting.factor
        linear, cubic = (HEAD.pack(*shape, factor | way << 7) + packed for way in (0, 1))
        return linear, cubic


def distance_fields(task: OccupancyTask) -> list[DistanceField]:
    """A baseline for every codec; FieldlrError where a package that they need is missing."""
    coarse = CoarseDistances(task.volume)
    return [DistanceField(packer, coarse) for packer in packers()]


def _levels(distances: np.ndarray, setting: DistanceSetting) -> np.ndarray:
    return np.clip(distances / np.float32(setting.factor * setting.clip), -1.0, 1.0)


def decode(data: bytes, packer: Packer) -> Bool[np.ndarray, "nx ny nz"]:
    """The solid of a file: voxels where the interpolated distances are positive."""
    *shape, factor = HEAD.unpack_from(data)
    factor, cubic = factor & 127, factor >> 7
    counts: Counts = tuple(-(-n // factor) for n in shape)
    levels = packer.unpack(data[HEAD.size :], counts)
    return above(levels, [between(n, factor, bool(cubic)) for n in shape], 0.0)
