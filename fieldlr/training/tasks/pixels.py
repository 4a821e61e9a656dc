"""The pixels of the training photos, for random batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fieldlr.data.scene import Scene
from fieldlr.geometry.rays import Rays


@dataclass(frozen=True)
class DrawnPixels:
    """M pixels; `photos` (M,) are indices into the training photos."""

    photos: Int[Tensor, " m"]
    rays: Rays
    colors: Float[Tensor, "m 3"]  # in [0, 1]
    alpha: Float[Tensor, "m 1"] | None  # if any photo has it


@dataclass(frozen=True)
class Batch:
    """M rays of photos (M,), the colours that they should see, and the background behind them."""

    photos: Int[Tensor, " m"]
    rays: Rays
    target: Float[Tensor, "m 3"]
    background: Float[Tensor, " 3"] | Float[Tensor, "m 3"]


class TrainingPixels:
    """All unmasked pixels of the training views, as uint8."""

    def __init__(self, scene: Scene):
        self.cameras = scene.cameras
        images = [scene.images[view] for view in scene.train]
        self.has_alpha = any(image.shape[-1] == 4 for image in images)
        self.values = torch.cat([self._flat(image) for image in images])
        self.views = torch.tensor(scene.train)
        self.widths = torch.tensor([image.shape[1] for image in images])
        counts = torch.tensor([image.shape[0] * image.shape[1] for image in images])
        self.ends = counts.cumsum(0)
        self.first = self.ends - counts
        self.visible = self._visible(scene)

    def __len__(self) -> int:
        return len(self.values) if self.visible is None else len(self.visible)

    def draw(self, count: int, generator: torch.Generator | None) -> DrawnPixels:
        """Uniformly random pixels."""
        chosen = self.choose(count, generator)
        if self.visible is not None:
            chosen = self.visible[chosen]
        photos = torch.searchsorted(self.ends, chosen, right=True)
        within = chosen - self.first[photos]
        width = self.widths[photos]
        pixels = torch.stack([within % width, within // width], -1) + 0.5
        values = self.values[chosen].float().div_(255.0)
        rays = self.cameras.rays(self.views[photos], pixels)
        alpha = values[:, 3:] if self.has_alpha else None
        return DrawnPixels(photos, rays, values[:, :3], alpha)

    def choose(self, count: int, generator: torch.Generator | None) -> Int[Tensor, " count"]:
        """Uniformly random indices (count,) of pixels."""
        return torch.randint(len(self), (count,), generator=generator)

    @cached_property
    def constant_mse(self) -> float:
        """Mean squared error of a collapsed field: empty, or one colour everywhere.

        With alpha the background b of a ray is uniformly random in [0, 1]. The error of an empty
        field is then alpha (colour - b), and that of an opaque one of the best colour the residual
        variance; without alpha the error of the best single colour is the variance.
        """
        step = max(1, len(self) // 100_000)
        chosen = slice(None, None, step) if self.visible is None else self.visible[::step]
        values = self.values[chosen].float() / 255.0
        if not self.has_alpha:
            return float(values.var(0, unbiased=False).mean())
        color, alpha = values[:, :3], values[:, 3:]
        empty = (alpha**2 * ((color - 0.5) ** 2 + 1.0 / 12.0)).mean()
        seen = alpha * color + (1.0 - alpha) * 0.5
        opaque = seen.var(0, unbiased=False).mean() + ((1.0 - alpha) ** 2).mean() / 12.0
        return float(min(empty, opaque))

    def _flat(self, image: Tensor) -> Tensor:
        pixels = image.reshape(-1, image.shape[-1])
        if self.has_alpha and image.shape[-1] == 3:
            pixels = torch.cat([pixels, torch.full_like(pixels[:, :1], 255)], -1)
        return pixels

    @staticmethod
    def _visible(scene: Scene) -> Tensor | None:
        """Indices of the unmasked pixels, or None if there are no masks."""
        if not scene.masks or all(scene.masks[view] is None for view in scene.train):
            return None
        flags = []
        for view in scene.train:
            mask = scene.masks[view]
            if mask is None:
                mask = torch.ones(scene.images[view].shape[:2], dtype=torch.bool)
            flags.append(mask.flatten())
        return torch.cat(flags).nonzero()[:, 0]
