"""A baseline for solids: quantised means of voxel blocks, compressed by lzma or bz2."""

from __future__ import annotations

import bz2
import lzma
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from fieldlr.metrics.shape import iou
from fieldlr.study.baselines.search import Tries
from fieldlr.training.tasks import OccupancyTask

BLOCKS = (40, 32, 26, 22, 18, 16, 14, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)
LEVELS = (2, 3, 4, 6)  # small blocks with few levels beat large blocks with many
HEAD = struct.Struct("<3HBB")  # shape; block; levels, with the compressor in the highest bit
LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
SLAB_VOXELS = 1 << 24


@dataclass(frozen=True)
class BlockSetting:
    block: int  # voxels along the edge of a block
    levels: int  # quantisation levels of a mean

    @property
    def label(self) -> str:
        return f"blocks of {self.block}³, {self.levels} levels"


class BlockGrid:
    """A header of 8 bytes, and the means as bytes, compressed by the better of lzma and bz2."""

    name = "block grid"
    words = "a coarse grid of the occupancy of voxel blocks, compressed by lzma or bz2."
    measure, is_context = "iou", False

    def __init__(self, task: OccupancyTask):
        self.volume = task.volume

    def settings(self, known: Tries) -> list[BlockSetting]:
        """Block sizes with at least two blocks along every edge."""
        blocks = [b for b in BLOCKS if 2 * b <= min(self.volume.shape)]
        return [BlockSetting(block, levels) for block in blocks for levels in LEVELS]

    def measured(self, setting: BlockSetting) -> tuple[int, float]:
        solid = self.volume.dense()
        data = encode(solid, setting)
        return len(data), iou(solid, decode(data))


def encode(solid: Bool[np.ndarray, "nx ny nz"], setting: BlockSetting) -> bytes:
    """The encoded file of a solid (nx, ny, nz)."""
    block, levels = setting.block, setting.levels
    quantised = np.rint(block_means(solid, block) * (levels - 1)).astype(np.uint8).tobytes()
    by_lzma = lzma.compress(quantised, lzma.FORMAT_RAW, filters=LZMA_FILTERS)
    by_bz2 = bz2.compress(quantised)
    is_bz2 = len(by_bz2) < len(by_lzma)
    return HEAD.pack(*solid.shape, block, levels | is_bz2 << 7) + (by_bz2 if is_bz2 else by_lzma)


def decode(data: bytes) -> Bool[np.ndarray, "nx ny nz"]:
    """The solid: voxels where the linearly interpolated means exceed one half."""
    *shape, block, levels = HEAD.unpack_from(data)
    compressed = data[HEAD.size :]
    if levels >> 7:
        quantised = bz2.decompress(compressed)
    else:
        quantised = lzma.decompress(compressed, lzma.FORMAT_RAW, filters=LZMA_FILTERS)
    counts = [-(-n // block) for n in shape]
    means = np.frombuffer(quantised, np.uint8).reshape(counts) / np.float32((levels & 127) - 1)
    along_x, along_y, along_z = (_between(n, block) for n in shape)
    solid = np.empty(shape, bool)
    slab = max(1, SLAB_VOXELS // (shape[1] * shape[2]))
    for start in range(0, shape[0], slab):
        rows = along_x[start : start + slab]
        layers = (rows @ means.reshape(counts[0], -1)).reshape(-1, *counts[1:])
        solid[start : start + slab] = along_y @ layers @ along_z.T > 0.5
    return solid


def block_means(solid: Bool[np.ndarray, "nx ny nz"], block: int) -> Float[np.ndarray, "bx by bz"]:
    """The fraction of occupied voxels in each block; the last blocks may be smaller."""
    total, count = solid.astype(np.float32), np.ones((), np.float32)
    for axis, n in enumerate(solid.shape):
        starts = np.arange(0, n, block)
        total = np.add.reduceat(total, starts, axis=axis)
        count = np.multiply.outer(count, np.diff(np.append(starts, n)).astype(np.float32))
    return total / count


def _between(size: int, block: int) -> np.ndarray:
    """Interpolation weights (size, blocks): linear between block centres, constant beyond."""
    count = -(-size // block)
    place = np.clip((np.arange(size) + 0.5) / block - 0.5, 0.0, count - 1.0)
    lower = np.minimum(place.astype(int), max(count - 2, 0))
    weights = np.zeros((size, count), np.float32)
    weights[np.arange(size), lower] = 1.0 - (place - lower)
    weights[np.arange(size), np.minimum(lower + 1, count - 1)] += place - lower
    return weights
