"""The training views as compressed images: a reference, not comparable with fields.

A field renders novel views, and its PSNR is that of held-out views; here the PSNR is that of the
stored views themselves.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.errors import FieldlrError
from fieldlr.metrics.image import psnr_db
from fieldlr.study.baselines.search import Tries
from fieldlr.training.tasks import RadianceTask

# Pillow's `quality` has a different meaning in each format.
QUALITIES = {
    "JPEG": (5, 10, 20, 35, 50, 65, 80, 90),
    "WebP": (1, 10, 25, 45, 65, 80, 90),
    "AVIF": (5, 15, 25, 40, 55, 70, 85),
}
PERFECT_DB = 60.0  # the PSNR counted for a view stored without loss, such as a uniform one


@dataclass(frozen=True)
class PhotoSetting:
    quality: int  # Pillow's, 0 to 100

    @property
    def label(self) -> str:
        return f"quality {self.quality}"


class StoredPhotos:
    """Files of all training views, at the size that the study trains on."""

    measure, is_context = "psnr_db", True

    def __init__(self, format_name: str, task: RadianceTask):
        from PIL import features

        checked = {"JPEG": "jpg"}.get(format_name, format_name.lower())
        if not features.check(checked):
            raise FieldlrError(
                f"the baseline {format_name} is unavailable: this Pillow cannot write it. Install "
                "one that can with pip install 'pillow>=11.3'."
            )
        self.format_name, self.task = format_name, task
        self.name = f"training views as {format_name}"
        self.words = (
            f"the {len(task.scene.train)} training views as {format_name} images, and the PSNR of "
            "these same images: for reference only, because fields are evaluated on held-out "
            "views."
        )

    def settings(self, known: Tries) -> list[PhotoSetting]:
        return [PhotoSetting(quality) for quality in QUALITIES[self.format_name]]

    def measured(self, setting: PhotoSetting) -> tuple[int, float]:
        num_bytes, figures = 0, []
        for view in self.task.scene.train:
            photo, _ = self.task.held_out.photo(view)
            data = encode(photo, self.format_name, setting)
            num_bytes += len(data)
            figures.append(min(psnr_db(photo, decode(data)), PERFECT_DB))
        return num_bytes, sum(figures) / len(figures)


def encode(photo: Float[Tensor, "h w 3"], format_name: str, setting: PhotoSetting) -> bytes:
    """The image file of a photo (H, W, 3) in [0, 1]."""
    from PIL import Image

    data = io.BytesIO()
    pixels = (photo.clamp(0.0, 1.0) * 255.0).round().byte().numpy()
    Image.fromarray(pixels).save(data, format_name, quality=setting.quality)
    return data.getvalue()


def decode(data: bytes) -> Float[Tensor, "h w 3"]:
    """The photo (H, W, 3) in [0, 1] of an image file."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).float() / 255.0
