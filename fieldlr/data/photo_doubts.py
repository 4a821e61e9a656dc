"""Photos that show nothing or differ from the others: blurred, dark, bright or duplicated.

Every photo is compared with those taken nearest to it, which show much the same, and with the set:
what differs from both is named. A mask's and transparent pixels do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from fieldlr.data.scene import Scene
from fieldlr.geometry.cameras import Cameras

LONGEST_SIDE = 1024  # a photo is reduced to this at most: blur that nobody trains on is none
COARSE = 4  # detail is measured against that of pictures so many times smaller
BLURRED = -1.5  # octaves of detail less than others; clean captures keep within 1.1
STOPS = 1.0  # of light more or less than others
CLIPPED = 0.25  # share of the pixels that are white or black, more than in others
SAME = 0.03  # of a thumbnail's contrast: two takes differ by more, two copies by less
NEIGHBOURS, FEWEST, THUMBNAIL = 8, 5, 32
MOST_NAMES = 8
FLAT_LEVELS = 2  # of 255, that the pixels of a photo of one colour may differ by
GAMMA = 2.2
# Directions (rows, columns) in which detail is measured: motion blurs one alone.
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))

Grey = Float[np.ndarray, "h w"]
Visible = Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class Look:
    """Statistics of a photo; NaN where too little of it is visible."""

    detail: Float[np.ndarray, " 4"]  # log2 of fine over coarse detail, by direction
    stops: float  # log2 of its mean light
    white: float  # share of its pixels
    black: float
    thumbnail: Float[np.ndarray, " t"]  # of mean 0 and variance 1; NaN where it is flat


def photo_doubts(scene: Scene) -> list[str]:
    """A sentence for each kind of photo that stands out, with the names."""
    masks = scene.masks or [None] * len(scene.images)
    looks = [
        look(image.numpy(), None if mask is None else mask.numpy())
        for image, mask in zip(scene.images, masks, strict=True)
    ]
    found = [*_flat(scene), *_twins(scene, looks)]
    if len(looks) < FEWEST:
        return found
    near = _nearest(scene.cameras)

    def differ(values: list) -> tuple[np.ndarray, np.ndarray]:
        """By how much (N, C) at the least each is more, or less, than both its neighbours."""
        table = np.array(values, np.float64).reshape(len(looks), -1)
        apart = [table - usual for usual in _usual(table, near)]
        return np.fmin(*apart), np.fmax(*apart)

    _, softer = differ([one.detail for one in looks])
    brighter, dimmer = differ([one.stops for one in looks])
    whiter, _ = differ([one.white for one in looks])
    blacker, _ = differ([one.black for one in looks])
    blurred = softer.min(1) < BLURRED
    lighter = ((brighter > STOPS) | (whiter > CLIPPED))[:, 0]
    darker = ((dimmer < -STOPS) | (blacker > CLIPPED))[:, 0]
    for chosen, words in (
        (blurred, ("Blurred", "less fine detail")),
        (lighter, ("Over-exposed", "more light")),
        (darker, ("Under-exposed", "less light")),
    ):
        names = [scene.names[index] for index in np.flatnonzero(chosen)]
        if names:
            found.append(
                f"{words[0]} photos ({len(names)}): {_listed(names)} have {words[1]} than those "
                "taken beside them. Leave them out, or take them again."
            )
    return found


def look(image: UInt8[np.ndarray, "h w c"], mask: Visible | None = None) -> Look:
    """The numbers of a photo (H, W, 3 or 4), uint8, of which a mask (H, W) tells what counts."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image[..., :3])).convert("L")
    factor = -(-max(picture.size) // LONGEST_SIDE)
    counts = np.ones(image.shape[:2], bool) if mask is None else mask
    if image.shape[-1] == 4:
        counts = counts & (image[..., 3] >= 250)
    visible = Image.fromarray(np.where(counts, 255, 0).astype(np.uint8)).reduce(factor)
    reduced = picture.reduce(factor)
    detail = [
        _detail(np.asarray(part, np.float32), np.asarray(shown) == 255)
        for part, shown in (
            (reduced, visible),
            (reduced.reduce(COARSE), visible.reduce(COARSE)),
        )
    ]
    values = np.asarray(reduced)[np.asarray(visible) == 255]
    light = float(values.mean()) / 255.0 if len(values) else np.nan
    # Hidden pixels are as grey as the others on average.
    grey = np.uint8(round(255.0 * float(np.nan_to_num(light))))
    shown = Image.fromarray(np.where(counts, np.asarray(picture), grey))
    small = np.asarray(shown.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float64)
    contrast = small.std()
    return Look(
        detail=np.log2(detail[0]) - np.log2(detail[1].mean()),
        stops=GAMMA * float(np.log2(light + 1e-3)),
        white=float((values >= 253).mean()) if len(values) else np.nan,
        black=float((values <= 2).mean()) if len(values) else np.nan,
        thumbnail=((small - small.mean()) / (contrast if contrast >= 1.0 else np.nan)).ravel(),
    )


def _detail(grey: Grey, visible: Visible) -> Float[np.ndarray, " 4"]:
    """Mean squares of the second differences in four directions, and what rounding adds."""
    height, width = grey.shape
    if min(height, width) < 8:
        return np.full(4, np.nan)
    rows, columns = slice(1, height - 1), slice(1, width - 1)
    inner, middle = visible[rows, columns].copy(), 2.0 * grey[rows, columns]
    pairs = []
    for down, right in DIRECTIONS:
        ends = [
            (
                slice(1 + s * down, height - 1 + s * down),
                slice(1 + s * right, width - 1 + s * right),
            )
            for s in (-1, 1)
        ]
        for end in ends:
            inner &= visible[end]
        pairs.append(ends)
    if inner.sum() < 36:
        return np.full(4, np.nan)
    where = True if inner.all() else inner
    return 0.5 + np.array(
        [np.square(middle - grey[one] - grey[other]).mean(where=where) for one, other in pairs]
    )


def _usual(
    values: Float[np.ndarray, "n c"], near: Int[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "one c"]]:
    """The medians of each photo's neighbours, and of the set; NaN does not count."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of medians of nothing, which are NaN as they should be
        return np.nanmedian(values[near], 1), np.nanmedian(values, 0, keepdims=True)


def _nearest(cameras: Cameras) -> Int[np.ndarray, "n k"]:
    """The views nearest to each in place and direction."""
    poses = cameras.camera_to_world.double().numpy()
    places = poses[:, :, 3] - poses[:, :, 3].mean(0)
    spread = max(float(np.median(np.linalg.norm(places, axis=1))), 1e-9)
    rows = np.concatenate([places / spread, poses[:, :, 2]], 1)
    near = []
    for index, row in enumerate(rows):
        apart = np.square(rows - row).sum(1)
        apart[index] = np.inf
        near.append(np.argsort(apart, kind="stable")[: min(NEIGHBOURS, len(rows) - 1)])
    return np.stack(near)


def _flat(scene: Scene) -> list[str]:
    """Photos of one colour, or transparent throughout: nothing in them tells of a shape."""
    names = []
    for view, image in enumerate(scene.images):
        mask = scene.masks[view] if scene.masks else None
        pixels = (image.flatten(0, 1) if mask is None else image[mask]).numpy()
        clear = pixels.shape[-1] == 4 and not pixels[:, 3].any()
        if len(pixels) and (clear or np.ptp(pixels, axis=0).max() <= FLAT_LEVELS):
            names.append(scene.names[view])
    return [
        f"Photos of one colour alone, or that show nothing ({len(names)}): {_listed(names)}. No "
        "shape can be learned from them; leave them out, or take them again."
    ] * bool(names)


def _twins(scene: Scene, looks: list[Look]) -> list[str]:
    """Photos that are nearly the same as an earlier one."""
    rows, twins = np.stack([one.thumbnail for one in looks]), []
    for index in range(1, len(rows)):
        apart = np.sqrt(np.square(rows[:index] - rows[index]).mean(1))
        close = np.flatnonzero(apart < SAME)
        if len(close):
            twins.append(f"{scene.names[index]} (as {scene.names[close[0]]})")
    return [
        f"Photos that repeat another ({len(twins)}): {_listed(twins)}. One of each is enough."
    ] * bool(twins)


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} others" if more > 0 else "")
