"""The box around an object before nothing: by silhouettes, or by what the views hold."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fieldlr.data.images import Pictures
from fieldlr.data.scene import Pixels
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.cameras import Cameras

CARVING_CELLS, CARVING_VIEWS = 64, 32
# An object is before one colour where so much of the borders of so many photos is within so many
# levels of it.
BORDER_SHARE, PHOTO_SHARE, BORDER_LEVELS = 0.95, 0.9, 12
# Half an edge of the box in distances of the nearest camera: beyond, cameras would stand inside.
LARGEST_HALF_EDGE = 0.55


def before_one_color(pictures: Pictures) -> bool:
    """Whether the borders of nearly all photos are of one colour, the same in all."""
    borders = []
    for view, image in enumerate(pictures.images):
        edges = torch.cat([image[0], image[-1], image[:, 0], image[:, -1]])[:, :3].int()
        mask = None if pictures.masks is None else pictures.masks[view]
        if mask is not None and not mask.all():
            return False  # What is hidden there may be anything.
        borders.append(edges)
    color = torch.stack([edges.median(0).values for edges in borders]).median(0).values
    plain = [
        float(((edges - color).abs() <= BORDER_LEVELS).all(-1).float().mean()) for edges in borders
    ]
    return sum(share >= BORDER_SHARE for share in plain) >= PHOTO_SHARE * len(plain)


def box_in_view(
    cameras: Cameras, focus: Float[Tensor, " 3"], distances: Float[Tensor, " n"]
) -> Aabb:
    """The cube about the focus that fills the views; all cameras stand outside it.

    An object that no photo cuts, seen from all around, lies in it. For NeRF-Synthetic, where
    cameras stand 4.03 from the origin, its half edge is 1.45; 1.5 is customary.
    """
    halves = 0.5 * cameras.sizes / cameras.intrinsics[:, :2]
    half = float((halves.amax(-1) * distances).median())
    half = min(half, LARGEST_HALF_EDGE * float(distances.min()))
    low, high = (vector((focus + sign * half).tolist()) for sign in (-1.0, 1.0))
    return Aabb(low, high)


def carve(
    cameras: Cameras, images: list[Pixels], focus: Float[Tensor, " 3"], distance: float
) -> Aabb | None:
    """The box around the visual hull of silhouettes, or None where nothing is left.

    Cells of a 64^3 grid about the focus survive if at least half of the views see them and those
    show something there; one view in 32 may be wrong (badly cut out). Silhouettes are widened
    by the reach of a cell, so thin parts cannot fall between the cells' centres.
    """
    half = 0.6 * distance
    ticks = (torch.arange(CARVING_CELLS) + 0.5) / CARVING_CELLS * 2 - 1
    cells = torch.cartesian_prod(ticks, ticks, ticks) * half + focus
    cell = 2 * half / CARVING_CELLS
    views = spread_views(len(cameras), CARVING_VIEWS)
    seen, empty = torch.zeros(2, len(cells), dtype=torch.int16)
    for view in views:
        pixels, depth = cameras.project(view, cells)
        inside = ((pixels >= 0) & (pixels < cameras.sizes[view])).all(-1) & (depth > 0)
        reach = int(0.87 * cell * float(cameras.intrinsics[view, 0]) / distance) + 1
        solid = _widened(images[view], reach)
        column, row = pixels[inside].long().unbind(-1)
        seen += inside
        empty[inside] += ~solid[row, column]
        alive = empty <= len(views) // 32
        cells, seen, empty = cells[alive], seen[alive], empty[alive]
    kept = cells[seen >= 0.5 * len(views)]
    return Aabb.around(kept, padding=0.5 * cell) if len(kept) else None


def _widened(image: Tensor, reach: int) -> Tensor:
    """Booleans (H, W): something opaque within `reach` pixels. All True without alpha."""
    if image.shape[-1] < 4:
        return torch.ones(image.shape[:2], dtype=torch.bool)
    solid = (image[..., 3] > 25).float()[None, None]
    for kernel in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        solid = torch.nn.functional.max_pool2d(solid, kernel, 1, padding)
    return solid[0, 0] > 0


def silhouettes(pictures: Pictures) -> list[Pixels]:
    """The photos; what a mask hides is opaque in them, since something may be there."""
    images = []
    for image, mask in zip(
        pictures.images, pictures.masks or [None] * len(pictures.images), strict=True
    ):
        if mask is not None and image.shape[-1] == 4:
            image = image.clone()
            image[..., 3][~mask] = 255
        images.append(image)
    return images


def have_silhouettes(images: list[Pixels]) -> bool:
    """Whether nearly every photo has alpha and leaves at least 2 % of the picture empty."""
    cut = [image.shape[-1] == 4 and (image[..., 3] < 25).float().mean() > 0.02 for image in images]
    return sum(map(bool, cut)) >= 0.9 * len(images)


def spread_views(count: int, most: int) -> list[int]:
    """At most `most` indices, evenly over range(count)."""
    return torch.linspace(0, count - 1, min(count, most)).round().long().unique().tolist()
