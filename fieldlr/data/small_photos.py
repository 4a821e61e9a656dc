"""Single photos of a source as small pictures, without reading the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fieldlr.data import reader_of
from fieldlr.data.images import open_picture, plain_picture, readable, turn_of
from fieldlr.data.scene import Capture, Photo
from fieldlr.geometry.boxes import Vector


def find_photos(path: Path, images: str | None = None) -> Capture | None:
    """The views of a source of photos that lie in files of their own, before any is decoded.

    None for what is not there and for archives: nothing is unpacked for a small picture.
    """
    reader = reader_of(path)
    return None if reader is None or reader.find is None else reader.find(path, images)


def small_photo(
    photo: Photo,
    stated: tuple[int, int],
    covered: tuple[int, int],
    size: tuple[int, int],
    background: Vector,
) -> UInt8[np.ndarray, "h w 3"]:
    """A photo reduced to `size` (width, height), over a background (RGB in [0, 1]).

    `stated` is the size that its camera states, and `covered` the part of the stored pixels, from
    the upper left, that a fit has seen: what a whole number of them does not fill is cut.
    FieldlrError where the file is not readable.
    """
    with open_picture(photo.path, photo.path, load=False) as image, readable(photo.path):
        turn = turn_of(image, stated)
        whole = image.size
        image.draft(None, (max(size),) * 2)  # A JPEG is decoded no finer than is needed.
        stored = plain_picture(image)
    picture = turn(stored)
    whole = whole if picture.size == stored.size else whole[::-1]
    if photo.alpha is not None:
        with open_picture(photo.alpha, photo.alpha) as alpha, readable(photo.alpha):
            picture.putalpha(turn(alpha.convert("L")).resize(picture.size))
    shares = [min(1.0, part / full) for part, full in zip(covered, whole, strict=True)]
    box = (0.0, 0.0, picture.width * shares[0], picture.height * shares[1])
    return _over(picture.resize(size, box=box, reducing_gap=3.0), background)


def _over(picture: Any, background: Vector) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a picture, RGB or RGBA, over a background."""
    pixels = np.asarray(picture)
    if pixels.shape[-1] == 3:
        return pixels
    alpha = pixels[..., 3:] / 255.0
    mixed = alpha * pixels[..., :3] + (1.0 - alpha) * 255.0 * np.asarray(background)
    return mixed.round().astype(np.uint8)
