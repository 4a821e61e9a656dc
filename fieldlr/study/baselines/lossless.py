"""A lossless baseline for solids: voxels as bits, compressed by lzma or bz2."""

from __future__ import annotations

import bz2
import lzma
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from fieldlr.metrics.shape import iou
from fieldlr.study.baselines.search import Tries
from fieldlr.training.tasks import OccupancyTask

HEAD = struct.Struct("<3H")  # the shape
PACKERS = {"bz2": (bz2.compress, bz2.decompress), "lzma": (lzma.compress, lzma.decompress)}


@dataclass(frozen=True)
class LosslessSetting:
    packer: str

    @property
    def label(self) -> str:
        return f"bits by {self.packer}"


class LosslessBits:
    """A header of 6 bytes and the compressed bits."""

    name = "lossless bits"
    words = "all voxels, one bit each, compressed by lzma or bz2."
    measure, is_context = "iou", False

    def __init__(self, task: OccupancyTask):
        self.volume = task.volume

    def settings(self, known: Tries) -> list[LosslessSetting]:
        return [LosslessSetting(packer) for packer in PACKERS]

    def measured(self, setting: LosslessSetting) -> tuple[int, float]:
        solid = self.volume.dense()
        data = encode(solid, setting)
        return len(data), iou(solid, decode(data, setting))


def encode(solid: Bool[np.ndarray, "nx ny nz"], setting: LosslessSetting) -> bytes:
    """The encoded file of a solid (nx, ny, nz)."""
    return HEAD.pack(*solid.shape) + PACKERS[setting.packer][0](np.packbits(solid).tobytes())


def decode(data: bytes, setting: LosslessSetting) -> Bool[np.ndarray, "nx ny nz"]:
    """The solid of a file."""
    shape = HEAD.unpack_from(data)
    bits = np.frombuffer(PACKERS[setting.packer][1](data[HEAD.size :]), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).view(bool).reshape(shape)
