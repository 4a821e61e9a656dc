"""A scene of posed photos, as every later step sees it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fieldlr.cameras import Cameras
from fieldlr.geometry import Similarity, Space


@dataclass(frozen=True)
class Scene:
    """Photos, their cameras, the space to reconstruct and how the views are split."""

    name: str
    images: list[Tensor]  # uint8 (H, W, 3), or (H, W, 4) with straight alpha
    cameras: Cameras  # in the internal frame
    space: Space  # in the internal frame
    frame: Similarity  # from the internal frame to the user's
    train: tuple[int, ...]
    test: tuple[int, ...]
    names: tuple[str, ...]  # image paths relative to the source
    masks: list[Tensor | None] | None  # bool (H, W), True where the pixel counts
    points: Tensor | None  # (P, 3) sparse points in the internal frame
    missing: int  # views that are listed but have no photo
    warnings: tuple[str, ...]
    content_hash: str  # of the pose files and the photos, as stored
    split: str  # how the split was made, in words

    @property
    def memory_bytes(self) -> int:
        """Bytes of the photos and masks."""
        tensors = [*self.images, *(mask for mask in self.masks or () if mask is not None)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
