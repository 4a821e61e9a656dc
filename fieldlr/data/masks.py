"""Masks: where they lie beside photos, and what they leave of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath

from fieldlr.data.scene import Capture, Mask, Photo
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.invertible import invertible_pixels

FOLDERS = ("masks", "mask", "image_masks")
# The mask of a.jpg is called a.jpg.png by COLMAP, a.png by most, a_mask.png by Metashape, and
# a.jpg.mask.png or a.mask.png by RealityScan.
ENDINGS = ("", "_mask", ".mask")
MEANINGS = (
    ("use", "black pixels are ignored (as in nerfstudio's mask_path and COLMAP's masks)"),
    ("ignore", "non-black pixels are ignored (instant-ngp's dynamic_mask)"),
)


def with_masks(
    photos: list[Photo], folder: Path, bases: Sequence[Path]
) -> tuple[list[Photo], list[str]]:
    """The photos of a folder with their masks, which lie in a folder of one of FOLDERS.

    That stands in one of `bases`; black pixels are ignored. The notes say what is missing there.
    """
    places = [place for base in dict.fromkeys(bases) for place in _mask_folders(base)]
    if not places:
        return photos, []
    place = places[0]
    files = {_key(file.relative_to(place)): file for file in sorted(place.rglob("*"))}
    own = [_own_name(photo, folder) for photo in photos]
    found = [
        photo if photo.mask else replace(photo, mask=_mask_of(name, files), mask_marks="use")
        for photo, name in zip(photos, own, strict=True)
    ]
    bare = [photo.name for photo in found if photo.mask is None]
    if len(bare) == len(found):
        return found, [
            f"The folder {place.name} holds no mask of any photo. The mask of {bare[0]} would be "
            f"{place.name}/{own[0]}.png."
        ]
    listed = ", ".join(bare[:3]) + (" and others" if len(bare) > 3 else "")
    return found, [f"{len(bare)} photos have no mask and count in full: {listed}."] * bool(bare)


def _mask_folders(base: Path) -> list[Path]:
    if not base.is_dir():
        return []
    named = {place.name.casefold(): place for place in base.iterdir() if place.is_dir()}
    return [named[name] for name in FOLDERS if name in named]


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


def without_rays_masked(
    capture: Capture, cameras: Cameras, masks: list[Mask | None] | None
) -> tuple[list[Mask | None] | None, list[str]]:
    """The masks, which also hide pixels for which the lens model has no inverse; and a note.

    FieldlrError where that leaves no pixel of the training views.
    """
    invertible = invertible_pixels(cameras)
    lost = [int((~good).sum()) for good in invertible if good is not None]
    if not lost:
        return masks, []
    both = [
        mask if good is None else good if mask is None else mask & good
        for mask, good in zip(masks or [None] * len(invertible), invertible, strict=True)
    ]
    advice = "Check k1 to k4, p1 and p2, or undistort or crop the photos."
    if all(_hides(both[view]) for view in capture.split.train):
        raise FieldlrError(
            f"{capture.name}: the lens model has no inverse at any pixel of the training views "
            f"that counts. {advice}"
        )
    share = sum(lost) / int(cameras.sizes.prod(-1).sum())
    return both, [
        f"{sum(lost):,} pixels ({100 * share:.2g} % of all) in {len(lost)} views have no ray: "
        "their lens model has no inverse there. They are left out of training and evaluation. "
        + advice
    ]


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


def _own_name(photo: Photo, folder: Path) -> str:
    """The name of a photo within its folder of photos."""
    relative = photo.path.relative_to(folder) if photo.path.is_relative_to(folder) else None
    return (relative or Path(photo.path.name)).as_posix()


def _mask_of(own: str, files: dict[str, Path]) -> Path | None:
    """The mask of a photo, in the folder that the photo is in, or flat."""
    path = PurePosixPath(own)
    for name in dict.fromkeys((path, PurePosixPath(path.name))):
        stems = (name, name.with_suffix(""))
        for stem in stems:
            for ending in ENDINGS:
                for suffix in (".png", name.suffix, ".jpg", ".tif", ".bmp"):
                    mask = files.get(_key(PurePosixPath(f"{stem}{ending}{suffix}")))
                    if mask is not None and mask.is_file():
                        return mask
    return None


def _key(path: PurePath) -> str:
    return path.as_posix().casefold()
