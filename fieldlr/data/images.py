"""Photos and masks from files to uint8 tensors, and cameras that fit them."""

from __future__ import annotations

import hashlib
import io
import math
import os
import warnings as python_warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fieldlr.data.masks import mask_notes, require_visible
from fieldlr.data.reducing import reduced_visible
from fieldlr.data.scene import Capture, Mask, Photo, Pixels, fit_bytes
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras
from fieldlr.system import memory

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
# What is in a file says what it is, not its name; what starts other programs (EPS) is not here.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
# A phone's MPO holds a depth map or a preview as its second picture: nothing to remark upon.
STILL_FORMATS = ("MPO",)
LOSSY_FORMATS = ("JPEG", "MPO", "WEBP")
# Bytes a pixel while a photo is decoded, and what all that are being decoded may take.
DECODING_BYTES, DECODING_MEMORY = 16, 2 << 30
# Turns a pillow image.
Turn = Callable[[Any], Any]
# Two sizes of one picture may differ by a rounded pixel in their aspect ratio, not by more.
ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Decoded:
    """A photo, reduced."""

    image: Pixels
    mask: Mask | None
    size: tuple[int, int]  # as stored
    share: float  # of the stored pixels that its mask leaves
    digest: str  # of the files
    animated: bool


@dataclass(frozen=True)
class Pictures:
    """The decoded photos of a capture, with cameras of exactly their sizes."""

    images: list[Pixels]
    masks: list[Mask | None] | None
    cameras: Cameras
    warnings: tuple[str, ...]
    content_hash: str


def is_photo(file: Path) -> bool:
    """Whether a file is named as a photo; hidden files are other systems' notes."""
    named = file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
    return named and file.is_file()


def read_pictures(capture: Capture, downscale: int = 1, most_bytes: int | None = None) -> Pictures:
    """Decodes every photo and mask, reduced by the whole number `downscale`, a few at a time.

    FieldlrError beforehand where a fit of so many pixels would take more than `most_bytes`.
    """
    if downscale < 1 or downscale != int(downscale):
        raise FieldlrError(f"downscale must be a whole number, 1 or more; got {downscale}.")
    largest = _require_memory(capture, int(downscale), most_bytes)
    stated = [tuple(size) for size in capture.cameras.sizes.tolist()]
    workers = max(1, min(os.cpu_count() or 1, DECODING_MEMORY // (DECODING_BYTES * largest)))
    with ThreadPoolExecutor(workers) as pool:
        decoded = list(pool.map(partial(_decode_photo, int(downscale)), capture.photos, stated))
    images, masks = [one.image for one in decoded], [one.mask for one in decoded]
    require_visible(capture, masks, [one.share for one in decoded])
    names = [photo.name for photo in capture.photos]
    cameras, notes = fit_to_sizes(capture.cameras, [one.size for one in decoded], names)
    sizes_now = torch.tensor([[image.shape[1], image.shape[0]] for image in images])
    cameras = replace(cameras, intrinsics=cameras.intrinsics / downscale, sizes=sizes_now)
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in capture.pose_files]
    return Pictures(
        images,
        masks if any(mask is not None for mask in masks) else None,
        cameras,
        tuple(
            notes
            + _animation_notes([one.animated for one in decoded])
            + mask_notes(capture.photos, [one.share for one in decoded])
        ),
        hashlib.sha256("".join([*hashes, *(one.digest for one in decoded)]).encode()).hexdigest(),
    )


def fit_to_sizes(
    cameras: Cameras, sizes: list[tuple[int, int]], names: list[str]
) -> tuple[Cameras, list[str]]:
    """Cameras whose intrinsics fit photos of other sizes than stated, and a warning if they differ.

    Photos that were reduced keep their shape, and the focal length follows. Photos of another
    shape were cropped or turned: nobody can tell how, so that is an error.
    """
    actual = torch.tensor(sizes)
    differs = (actual != cameras.sizes).any(-1)
    if not differs.any():
        return cameras, []
    scale = actual.double() / cameras.sizes.double()
    bent = (scale[:, 0] / scale[:, 1] - 1).abs() > ASPECT_TOLERANCE
    first = int((bent if bent.any() else differs).nonzero()[0])
    pair = "{} is {} x {}, its camera says {} x {}".format(
        names[first], *actual[first].tolist(), *cameras.sizes[first].tolist()
    )
    if bent.any():
        raise FieldlrError(
            f"A photo needs the aspect ratio of its camera: {pair}. "
            "Use the photos that the poses were made from, or correct w and h."
        )
    note = f"{int(differs.sum())} photos differ in size from what their cameras say ({pair}); "
    return cameras.resized(actual), [note + "the focal lengths are scaled to the photos."]


def _require_memory(capture: Capture, downscale: int, most_bytes: int | None) -> int:
    """Pixels of the largest photo; FieldlrError where a fit of all of them has no room."""
    pixels, transparent = [], False
    for photo in capture.photos:
        with open_picture(photo.path, photo.path, load=False) as image:
            pixels.append(math.prod(image.size))
            transparent |= _has_alpha(image) or photo.alpha is not None
    masked = any(photo.mask is not None for photo in capture.photos)
    whole = fit_bytes(sum(pixels), 3 + transparent, masked)
    room = (most_bytes or memory.machine_bytes()) - memory.BASE_BYTES
    enough = math.ceil(math.sqrt(whole / max(room, 1)))
    needed = memory.BASE_BYTES + whole / downscale**2
    memory.require(needed, most_bytes, f"Give `downscale` {enough}, or fewer photos.")
    return max(pixels)


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) as stored, from the file's header."""
    with open_picture(path, path, load=False) as image:
        return image.size


def _decode_photo(downscale: int, photo: Photo, stated: tuple[int, int]) -> Decoded:
    data = photo.path.read_bytes()
    with open_picture(io.BytesIO(data), photo.path) as image, readable(photo.path):
        animated = getattr(image, "is_animated", False) and image.format not in STILL_FORMATS
        turn = turn_of(image, stated)
        picture = turn(plain_picture(image))
    size = picture.size
    if photo.alpha is not None:
        with open_picture(photo.alpha, photo.alpha) as alpha, readable(photo.alpha):
            picture.putalpha(_fitted(photo.alpha, alpha.convert("L"), size, turn).resize(size))
    if min(size) < downscale:
        raise FieldlrError(
            f"{photo.path}: {size[0]} x {size[1]} px cannot be divided by {downscale}."
        )
    mask = None
    if photo.mask is not None:
        mask = _decode_mask(photo.mask, photo.mask_marks, size, turn)
    beside = [path.read_bytes() for path in (photo.alpha, photo.mask) if path is not None]
    digest = hashlib.sha256(b"".join([photo.name.encode(), data, *beside])).hexdigest()
    share = 1.0 if mask is None else float(mask.float().mean())
    if mask is None or downscale == 1:
        image = torch.from_numpy(np.array(_reduced(picture, downscale)))
    else:
        image, mask = reduced_visible(torch.from_numpy(np.array(picture)), mask, downscale)
    return Decoded(image, mask, size, share, digest, animated)


def _decode_mask(path: Path, marks: str, size: tuple[int, int], turn: Turn) -> Mask:
    """True where a pixel counts.

    Any grey but black marks a pixel, or the lighter half of them where a lossy format has blurred
    black.
    """
    with open_picture(path, path) as image, readable(path):
        least = 128 if image.format in LOSSY_FORMATS else 1
        grey = _fitted(path, image.convert("L"), size, turn)
        marked = grey.resize(size, 0).point(lambda v: 255 if v >= least else 0)
    return torch.from_numpy(np.array(marked) == (0 if marks == "ignore" else 255))


def _fitted(path: Path, picture: Any, size: tuple[int, int], turn: Turn) -> Any:
    """A mask or alpha in the shape of its photo; one of the photo as stored is turned as that is.

    FieldlrError where it has another shape, and so is of another view.
    """
    for fitted in (picture, turn(picture)):
        width, height = fitted.size
        if abs(width * size[1] / (height * size[0]) - 1) <= ASPECT_TOLERANCE:
            return fitted
    raise FieldlrError(
        f"{path}: a mask has the shape of its photo; it is {picture.size[0]} x "
        f"{picture.size[1]}, the photo {size[0]} x {size[1]}. Make it from the photo as it is "
        "stored."
    )


def open_picture(source: Path | io.BytesIO, path: Path, load: bool = True) -> Any:
    """A pillow image of one of FORMATS, or a FieldlrError."""
    from PIL import Image

    with readable(path), python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore")
        image = Image.open(source, formats=FORMATS)
        try:
            if load:
                image.load()
        except BaseException:
            image.close()
            raise
        return image


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Every way in which a photo can be broken becomes one error.

    Decoders meet a damaged file with any kind of exception, when it is opened, decoded or
    converted.
    """
    try:
        yield
    except (FieldlrError, MemoryError):
        raise
    except Exception as error:
        raise FieldlrError(
            f"{path}: not a readable photo ({str(error)[:200]}). Replace the file."
        ) from error


def plain_picture(image: Any) -> Any:
    """8-bit RGB or RGBA from palettes, CMYK, grey and 16-bit pictures."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16-bit grey at 255 instead of scaling it.
        values = np.nan_to_num(np.asarray(image, np.float32))
        scale = 255.0 / 65535.0 if image.mode.startswith("I") else 255.0
        image = Image.fromarray((values * scale).clip(0, 255).round().astype(np.uint8))
    return image.convert("RGBA" if _has_alpha(image) else "RGB")


def _has_alpha(image: Any) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def turn_of(image: Any, stated: tuple[int, int]) -> Turn:
    """What turns a photo so that its pixels are those of which the intrinsics speak.

    Pose tools read pixels as they are stored and ignore the EXIF orientation, so it is applied
    only where the stored size contradicts the camera and the turned one agrees with it.
    """
    from PIL import ImageOps

    exif = image.getexif()
    if image.size == stated or image.size[::-1] != stated:
        return lambda picture: picture

    def turned(picture: Any) -> Any:
        picture.info["exif"] = exif.tobytes()
        result = ImageOps.exif_transpose(picture)
        return result if result.size == picture.size[::-1] else picture

    return turned


def _reduced(picture: Any, downscale: int) -> Any:
    """Area average over whole blocks; the rest of an odd border is cut, so the focal length
    divides exactly. Pillow weighs colours by alpha here."""
    width, height = (size // downscale * downscale for size in picture.size)
    return picture.reduce(downscale, (0, 0, width, height)) if downscale > 1 else picture


def _animation_notes(animated: list[bool]) -> list[str]:
    count = sum(animated)
    return [f"{count} photos are animated or have pages: the first picture is taken."] * (count > 0)
