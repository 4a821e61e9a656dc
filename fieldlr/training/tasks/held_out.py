"""Held-out photos, and image metrics of a field against them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fieldlr.data.reducing import shrunk
from fieldlr.data.scene import Scene
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Vector
from fieldlr.metrics.image import (
    METRIC_VERSION,
    SSIM_WINDOW,
    decibels,
    mean_squared_error,
    psnr_db,
    ssim,
)
from fieldlr.rendering.render import WHITE, render_image

NONE_HELD_OUT = "no view is held out: these are the training views"
# The quick quality estimate: this many held-out views, and about so many pixels of each.
QUICK_VIEWS, QUICK_PIXELS = 3, 10_000
# Samples along the ray of an evaluated pixel, on average.
RAY_SAMPLES = 24


class HeldOut:
    """The held-out photos of a scene, or all of them if none is held out."""

    def __init__(self, scene: Scene, background: Vector):
        self.scene, self.background = scene, background
        self.views = scene.test or scene.train

    @torch.no_grad()
    def quality(self, field: RadianceField) -> float:
        """PSNR in dB over a few held-out views, of pixels spread evenly over each.

        Pixels, not downscaled photos: beside an averaged photo a sharp field looks worse than a
        blurred one, and the estimate would fall while the field gets better.
        """
        figures = []
        for view in self._some(QUICK_VIEWS):
            photo, mask = self.photo(view)
            height, width = photo.shape[:2]
            stride = min(math.ceil(math.sqrt(height * width / QUICK_PIXELS)), height, width)
            stride -= stride % 2 == 0
            some = slice(stride // 2, None, stride)
            visible = None if mask is None else mask[some, some]
            if visible is not None and not visible.any():
                continue
            cameras = self.scene.cameras.sampled(view, stride)
            rendered = render_image(field, cameras, 0, self.background).rgb
            shown = slice(None) if visible is None else visible
            figures.append(psnr_db(photo[some, some][shown], rendered[shown]))
        return _mean(figures)

    @torch.no_grad()
    def evaluate(self, field: RadianceField, budget: int | None = None) -> dict[str, Any]:
        """The metrics of `fieldlr eval` over every held-out view at full resolution.

        With a `budget` of samples, over as many views as that allows, and at least QUICK_VIEWS.
        Masked pixels are excluded, and so are SSIM windows that contain one.
        """
        views = self.views
        if budget is not None:
            height, width = self.scene.images[views[0]].shape[:2]
            views = self._some(max(QUICK_VIEWS, budget // (height * width * RAY_SAMPLES)))
        per_view, errors = [], []
        for view in views:
            photo, mask = self.photo(view)
            rendered = render_image(field, self.scene.cameras, view, self.background).rgb
            visible = slice(None) if mask is None else mask
            errors.append(mean_squared_error(photo[visible], rendered[visible]))
            # Views smaller than SSIM's window have none.
            similarity = math.nan
            if min(photo.shape[:2]) >= SSIM_WINDOW:
                similarity = ssim(photo, rendered, mask)
            figures = {"psnr_db": decibels(errors[-1]), "ssim": _unless_nan(similarity)}
            per_view.append({"name": self.scene.names[view], **figures})
        # A fully masked view has no PSNR.
        errors = [error for error in errors if not math.isnan(error)]
        psnrs = [decibels(error) for error in errors]
        figures = {
            "psnr_db": _mean(psnrs),
            "psnr_of_mean_mse_db": decibels(_mean(errors)),
            "psnr_min_db": min(psnrs, default=math.nan),
            "ssim": _mean([view["ssim"] for view in per_view if view["ssim"] is not None]),
            "per_view": per_view,
            "background": "white" if self.background == WHITE else "black",
            "split": self.scene.split if self.scene.test else NONE_HELD_OUT,
            "metric_version": METRIC_VERSION,
        }
        if len(views) < len(self.views):
            figures["measured_on"] = f"{len(views)} of {len(self.views)} views"
        return figures

    def _some(self, most: int) -> Sequence[int]:
        """At most so many of the views, evenly spread."""
        return self.views[:: math.ceil(len(self.views) / most)]

    def small_photo(self, view: int, longest_side: int) -> Float[Tensor, "h w 3"]:
        """A photo over the evaluation's background, downscaled by an integer factor."""
        photo, _ = self.photo(view)
        return shrunk(photo, max(1, max(photo.shape[:2]) // longest_side))

    def photo(self, view: int) -> tuple[Float[Tensor, "h w 3"], Bool[Tensor, "h w"] | None]:
        """A photo (H, W, 3) in [0, 1] over the evaluation's background, and its mask."""
        image = self.scene.images[view].float() / 255.0
        if image.shape[-1] == 4:
            alpha = image[..., 3:]
            image = alpha * image[..., :3] + (1.0 - alpha) * image.new_tensor(self.background)
        return image, self.scene.masks[view] if self.scene.masks else None


def _unless_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _mean(values: list[float]) -> float:
    """The mean; NaN if empty."""
    return sum(values) / len(values) if values else math.nan
