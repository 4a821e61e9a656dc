"""A baseline for solids: quantised means of voxel blocks, compressed by lzma or bz2."""

from __future__ import annotations

import bz2
import lzma
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from fieldlr.metrics.shape import iou
from fieldlr.study.baselines.cells import above, between, cell_means
from fieldlr.study.baselines.search import Tries
from fieldlr.training.tasks import OccupancyTask

BLOCKS = (40, 32, 26, 22, 18, 16, 14, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)
LEVELS = (2, 3, 4, 6)  # small blocks with few levels beat large blocks with many
HEAD = struct.Struct("<3HBB")  # shape; block; levels, with the compressor in the highest bit
LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


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
    quantised = (
        np.rint(cell_means(solid.astype(np.float32), block) * (levels - 1))
        .astype(np.uint8)
        .tobytes()
    )
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
    return above(means, [between(n, block) for n in shape], 0.5)
