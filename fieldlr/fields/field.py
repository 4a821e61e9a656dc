"""The interface of a field for rendering, surface extraction, export and evaluation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from fieldlr.fields.config import FieldConfig
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space

POINTS_AT_ONCE = 1 << 20


class Field(nn.Module):
    """A function of space with a bounding box, and a frame that maps to the user's coordinates.

    `level` and the rendering functions take points in the field's internal frame; `inside` takes
    the user's. For shapes the two are the same, but for a shift where a shape lies far from the
    origin.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    def __init__(
        self,
        config: FieldConfig,
        space: Space,
        frame: Similarity | None = None,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.config, self.space, self.frame = config, space, frame or Similarity()

    def __repr__(self) -> str:
        corners = (self.aabb.minimum, self.aabb.maximum)
        box = " to ".join(f"({', '.join(f'{v:g}' for v in corner)})" for corner in corners)
        return f"{type(self).__name__}(box {box}, {self.num_parameters:,} parameters)"

    @property
    def aabb(self) -> Aabb:
        """The bounding box of the field, internal frame."""
        return self.space.aabb

    @property
    def num_parameters(self) -> int:
        """The number of trained parameters."""
        return sum(p.numel() for p in self.parameters())

    def level(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Values (M,) at points (M, 3), positive inside."""
        raise NotImplementedError

    def level_of(self, threshold: float | None) -> float:
        """The isovalue of `level` for a surface threshold in the user's terms."""
        raise NotImplementedError

    @torch.no_grad()
    def inside(self, points: Num[Tensor, "n 3"] | Num[np.ndarray, "n 3"]) -> Bool[Tensor, " n"]:
        """Booleans (M,): which of the points (M, 3), in the user's frame, are inside."""
        points = torch.as_tensor(points, dtype=torch.float64)
        internal = self.frame.inverse().apply(points).float()
        internal = internal.to(next(self.parameters()).device)
        level = torch.cat([self.level(part) for part in internal.split(POINTS_AT_ONCE)])
        above = level > self.level_of(None)
        if self.space.kind == "box":
            above &= self.aabb.contains(internal)  # The solid ends at the box, as its mesh does.
        return above.to(points.device)
