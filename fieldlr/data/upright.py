"""Photos as every tool reads them alike: upright as they are stored, in a common format."""

from __future__ import annotations

import os
import shutil
import struct
import warnings as python_warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.data.images import open_picture, plain_picture, readable

# What every tool reads, by pillow's names; MPO is a JPEG with more pictures behind it. Not TIFF,
# which pillow turns as it opens it, and others do not.
COMMON_FORMATS = ("JPEG", "MPO", "PNG", "BMP")
JPEG_QUALITY = 95
# Tags of EXIF: the orientation, the camera's model, the block of the lens, its focal length.
ORIENTATION, MODEL, LENS_BLOCK, FOCAL_LENGTH = 0x0112, 0x0110, 0x8769, 0x920A
BROKEN_EXIF = (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error)


@dataclass(frozen=True)
class UprightPhoto:
    """A photo that was copied."""

    path: Path
    # Size, camera, focal length: equal for photos that share their intrinsics.
    lens: tuple[tuple[int, int], str, str]


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
        if image.format in ("JPEG", "MPO"):
            picture.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0, exif=picture.getexif())
        else:
            picture.save(path, "PNG")
        return UprightPhoto(path, (picture.size, *camera))


def _exif(image: Any) -> tuple[tuple[str, str], bool]:
    """((camera, focal length), whether the picture must be turned); nothing if EXIF is broken."""
    try:
        tags = image.getexif()
        lens = tags.get_ifd(LENS_BLOCK)
        camera = str(tags.get(MODEL, "")), str(lens.get(FOCAL_LENGTH, ""))
        return camera, tags.get(ORIENTATION, 1) in range(2, 9)
    except BROKEN_EXIF:
        return ("", ""), False


def _link(source: Path, path: Path) -> None:
    """The same file under a second name, or a copy where the disk does not do that."""
    try:
        os.link(source.resolve(), path)
    except OSError:
        shutil.copyfile(source, path)
