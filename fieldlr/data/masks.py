"""Masks: where they lie beside photos, and what they leave of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from fieldlr.data.scene import Capture, Mask, Photo
from fieldlr.errors import FieldlrError

FOLDER = "masks"
MEANINGS = (
    ("use", "black pixels are ignored (as in nerfstudio's mask_path and COLMAP's masks)"),
    ("ignore", "non-black pixels are ignored (instant-ngp's dynamic_mask)"),
)


def with_masks(photos: list[Photo], base: Path) -> tuple[list[Photo], list[str]]:
    """The photos with the masks in the folder `masks` of a capture, and what is missing there.

    The mask of images/a.jpg is masks/a.jpg.png, as COLMAP reads it, or masks/a.png or masks/a.jpg;
    black pixels are ignored.
    """
    folder = base / FOLDER
    if not folder.is_dir():
        return photos, []
    found = [replace(photo, mask=_mask_of(photo, folder)) for photo in photos]
    bare = [photo.name for photo in found if photo.mask is None]
    if len(bare) == len(found):
        return found, [
            f"The folder {FOLDER} holds no mask of any photo. The mask of {bare[0]} would be "
            f"{FOLDER}/{_own_name(photos[0])}.png."
        ]
    listed = ", ".join(bare[:3]) + (" and others" if len(bare) > 3 else "")
    return found, [f"{len(bare)} photos have no mask and count in full: {listed}."] * bool(bare)


def require_visible(capture: Capture, masks: list[Mask | None], shares: list[float]) -> None:
    """FieldlrError where masks hide every pixel of the training views.

    `shares` are those of the pixels that the masks leave of the photos as they are stored.
    """
    training = capture.split.train
    if not training or not all(_hides(masks[view]) for view in training):
        return
    share = sum(shares[view] for view in training) / len(training)
    if share > 0:
        raise FieldlrError(
            f"{capture.name}: the masks leave {100 * share:.2g} % of the pixels of the "
            f"{len(training)} training views, too scattered for photos as small as these. Lower "
            "`downscale`."
        )
    raise FieldlrError(
        f"{capture.name}: the masks hide every pixel of the {len(training)} training views (0 % "
        "count). Black pixels are those that are ignored (of dynamic_mask files the others): "
        "invert the masks."
    )


def _hides(mask: Mask | None) -> bool:
    return mask is not None and not bool(mask.any())


def mask_notes(photos: list[Photo], shares: list[float]) -> list[str]:
    """Says which polarity the masks were read in, and doubts masks that hide most of a scene."""
    notes = []
    for marks, meaning in MEANINGS:
        used = [
            share
            for photo, share in zip(photos, shares, strict=True)
            if photo.mask is not None and photo.mask_marks == marks
        ]
        if used:
            share = sum(used) / len(used)
            doubt = "" if share > 0.5 else " If that is the wrong way round, invert the masks."
            notes.append(
                f"{len(used)} masks: {meaning}; {100 * share:.0f} % of the pixels count.{doubt}"
            )
    return notes


def _own_name(photo: Photo) -> str:
    """The name of a photo within its folder of photos."""
    return "/".join(PurePosixPath(photo.name).parts[1:]) or photo.name


def _mask_of(photo: Photo, folder: Path) -> Path | None:
    own = folder / _own_name(photo)
    places = (own.with_name(f"{own.name}.png"), own.with_suffix(".png"), own)
    return next((place for place in places if place.is_file()), None)
