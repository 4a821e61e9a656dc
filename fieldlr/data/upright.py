"""Copies of photos that every tool reads alike: stored upright, in a common format."""

from __future__ import annotations

import os
import shutil
import struct
import warnings as python_warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data.images import open_picture, plain_picture, readable
from fieldlr.errors import FieldlrError

# What every tool reads, by pillow's names; MPO is a JPEG with more pictures behind it. Not TIFF,
# which pillow turns as it opens it, and others do not.
COMMON_FORMATS = ("JPEG", "MPO", "PNG", "BMP")
JPEG_QUALITY = 95
# Tags of EXIF: the orientation, the camera's maker and model, the block of the lens, its focal
# length, and that on 35 mm film, which tells a digital zoom too.
ORIENTATION, MAKER, MODEL = 0x0112, 0x010F, 0x0110
LENS_BLOCK, FOCAL_LENGTH, ON_FILM = 0x8769, 0x920A, 0xA405
# What a focal length in pixels is made from: these, and pixels on the sensor.
LENS_TAGS = (FOCAL_LENGTH, ON_FILM, 0xA002, 0xA003, 0xA20E, 0xA20F, 0xA210)
MOST_BROKEN = 10  # that are named
BROKEN_EXIF = (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error)


@dataclass(frozen=True)
class UprightPhoto:
    """A photo that was copied."""

    path: Path
    # Size, camera, focal lengths: equal for photos that share their intrinsics.
    lens: tuple[tuple[int, int], str, str]


def copy_photos(files: Sequence[Path], folder: Path) -> Iterator[UprightPhoto]:
    """Copies photos upright into `folder`, named by their place in the row.

    FieldlrError that names all that are no readable photos, once the others are copied.
    """
    broken: list[str] = []
    for number, file in enumerate(files):
        try:
            yield copy_upright(file, folder / f"{number:05d}")
        except FieldlrError as error:
            broken.append(str(error))
    if len(broken) == 1:
        raise FieldlrError(broken[0])
    if broken:
        listed = "\n".join(broken[:MOST_BROKEN])
        others = f"\nand {len(broken) - MOST_BROKEN} others" if len(broken) > MOST_BROKEN else ""
        raise FieldlrError(f"{len(broken)} photos cannot be read:\n{listed}{others}")


def copy_upright(source: Path, target: Path) -> UprightPhoto:
    """Links or copies a photo to `target` and its suffix; turns it where EXIF says so.

    Pose tools and trainers read pixels as they are stored, and only some of them apply EXIF's
    orientation. FieldlrError where the file is no readable photo.
    """
    from PIL import ImageOps

    with open_picture(source, source) as image, python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        camera, turned = _exif(image)
        common = image.format in COMMON_FORMATS
        path = target.with_name(target.name + (source.suffix.lower() if common else ".png"))
        if common and not turned:
            _link(source, path)
            return UprightPhoto(path, (image.size, *camera))
        with readable(source):
            picture = plain_picture(ImageOps.exif_transpose(image) if turned else image)
        exif = _kept_exif(image)
        if image.format in ("JPEG", "MPO"):
            picture.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, exif=exif)
        else:
            picture.save(path, "PNG", exif=exif)
        return UprightPhoto(path, (picture.size, *camera))


def _kept_exif(image: Any) -> bytes:
    """What EXIF says of camera and lens, so that the focal length reaches the tools; or nothing."""
    from PIL import Image

    kept = Image.Exif()
    try:
        tags = image.getexif()
        kept.update({tag: tags[tag] for tag in (MAKER, MODEL) if tag in tags})
        lens = tags.get_ifd(LENS_BLOCK)
        kept.get_ifd(LENS_BLOCK).update({tag: lens[tag] for tag in LENS_TAGS if tag in lens})
        return kept.tobytes()
    except BROKEN_EXIF:
        return b""


def _exif(image: Any) -> tuple[tuple[str, str], bool]:
    """((camera, focal lengths), whether the picture must be turned); nothing if EXIF is broken."""
    try:
        tags = image.getexif()
        lens = tags.get_ifd(LENS_BLOCK)
        camera = str(tags.get(MODEL, "")).strip("\0 ")
        focal_lengths = f"{lens.get(FOCAL_LENGTH, '')} {lens.get(ON_FILM, '')}"
        return (camera, focal_lengths), tags.get(ORIENTATION, 1) in range(2, 9)
    except BROKEN_EXIF:
        return ("", ""), False


def _link(source: Path, path: Path) -> None:
    """The same file under a second name, or a copy where the disk does not do that."""
    try:
        os.link(source.resolve(), path)
    except OSError:
        shutil.copyfile(source, path)
