"""CIFAR-100 from a .npz: images as bytes, and their augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fieldlr.errors import FieldlrError


@dataclass(frozen=True)
class Images:
    """Images (N, 3, 32, 32) as bytes, and their labels (N,)."""

    pixels: Tensor
    labels: Tensor

    def __getitem__(self, places: slice) -> Images:
        return Images(self.pixels[places], self.labels[places])

    def __len__(self) -> int:
        return len(self.labels)


def read_images(path: Path) -> tuple[Images, Images]:
    """(training images, test images)."""
    if not path.exists():
        raise FieldlrError(f"{path} does not exist. Name the images by --data.")
    with np.load(path) as file:
        needed = [f"{part}_{name}" for part in ("train", "test") for name in "xy"]
        missing = set(needed) - set(file.files)
        if missing:
            raise FieldlrError(f"{path} has no {min(missing)}. It needs {', '.join(needed)}.")
        found = {name: torch.from_numpy(file[name]) for name in needed}
    train, test = (
        Images(found[f"{part}_x"].permute(0, 3, 1, 2).contiguous(), found[f"{part}_y"].long())
        for part in ("train", "test")
    )
    return train, test


def normalised(pixels: Tensor) -> Tensor:
    """Bytes as numbers of about unit variance."""
    return pixels.float() / 64.0 - 2.0


def augmented(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Random crops after padding by 4 pixels, half of them flipped."""
    number = len(pixels)
    padded = functional.pad(pixels, (4, 4, 4, 4))
    corners = torch.randint(0, 9, (2, number), generator=generator).to(pixels.device)
    flips = (torch.rand(number, generator=generator) < 0.5).to(pixels.device)
    along = torch.arange(32, device=pixels.device)
    rows = corners[0, :, None] + along
    columns = corners[1, :, None] + torch.where(flips[:, None], 31 - along, along)
    image = torch.arange(number, device=pixels.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
