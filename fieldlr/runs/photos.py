"""The photos of a run as small pictures that fit its renders, and where they were taken."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from fieldlr import codec
from fieldlr.data.archives import unpacked
from fieldlr.data.scene import Capture
from fieldlr.data.small_photos import find_photos, small_photo
from fieldlr.errors import FieldlrError
from fieldlr.export.page import PagePhoto
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.rotations import to_quaternion
from fieldlr.rendering.render import BLACK
from fieldlr.runs.run import Run

MOST_CAPTURES = 4  # kept between two calls
find_photos_once = functools.lru_cache(MOST_CAPTURES)(find_photos)


def standpoints_of(run: Run) -> list[dict[str, Any]]:
    """The cameras of a run of photos as plain values, in the field's frame.

    Of each the name, whether its photo was held out, its place, its rotation as a quaternion
    (w, x, y, z), its size in pixels and its fx, fy, cx, cy.
    """
    cameras, test = run.load_cameras()
    return [
        {
            "name": _name(index),
            "heldOut": index in test,
            "position": camera.camera_to_world[0, :, 3].tolist(),
            "quaternion": to_quaternion(camera.camera_to_world[0, :, :3]),
            "size": camera.sizes[0].tolist(),
            "intrinsics": camera.intrinsics[0].tolist(),
        }
        for index, camera in enumerate(cameras)
    ]


def kept_photos(run: Run, longest_side: int) -> list[PagePhoto]:
    """The photos of those cameras that a .flr file of the run keeps.

    Without a picture where the photo is no longer there. An archive is unpacked for them.
    """
    cameras, test = run.load_cameras()
    indices = codec.subset_indices(len(cameras), test)
    try:
        with _unpacked_source(run) as source:
            pictures = [_photo_if_there(run, source, index, longest_side) for index in indices]
    except FieldlrError:  # an archive that can no longer be unpacked
        pictures = [None] * len(indices)
    return [
        PagePhoto(_name(index), index in test, picture)
        for index, picture in zip(indices, pictures, strict=True)
    ]


@contextmanager
def _unpacked_source(run: Run) -> Iterator[Path | None]:
    """Where the run's photos are, of an archive in a folder that lasts as long as the context."""
    if run.source is None or run.source.suffix.lower() != ".zip" or not run.source.is_file():
        yield run.source
        return
    with unpacked(run.source) as source:
        yield source


def _photo_if_there(
    run: Run, source: Path | None, index: int, longest_side: int
) -> UInt8[np.ndarray, "h w 3"] | None:
    try:
        return _photo_in(run, source, index, longest_side)
    except FieldlrError:
        return None  # The source may have been moved or deleted since.


def photo_of(run: Run, index: int, longest_side: int) -> UInt8[np.ndarray, "h w 3"]:
    """The photo of a camera, at most so many pixels long, as an ideal lens would have taken it.

    It fits a render of the same camera without its distortion. FieldlrError where there is no such
    camera, where the photo is no longer there, and of archives: none is unpacked for one photo.
    """
    return _photo_in(run, run.source, index, longest_side)


def _photo_in(
    run: Run, source: Path | None, index: int, longest_side: int
) -> UInt8[np.ndarray, "h w 3"]:
    cameras, _ = run.load_cameras()
    if not 0 <= index < len(cameras):
        raise FieldlrError(f"there are {len(cameras)} photos, counted from 0; got {index}.")
    capture = _capture(source, run.reading.get("images"), len(cameras))
    camera = cameras[index]
    scale = min(1.0, longest_side / int(camera.sizes.max()))
    small = camera.resized((camera.sizes * scale).round().long().clamp_min(1))
    factor = run.reading["downscale"] or 1
    photo = small_photo(
        capture.photos[index],
        _pair(capture.cameras.sizes[index]),
        _pair(camera.sizes[0] * factor),
        _pair(small.sizes[0]),
        run.background or BLACK,
    )
    return photo if _is_ideal(small) else _undistorted(photo, small)


def _name(index: int) -> str:
    return f"photo {index + 1}"


def _capture(source: Path | None, images: str | None, num_cameras: int) -> Capture:
    capture = None if source is None else find_photos_once(source, images)
    if capture is None or len(capture.photos) != num_cameras:
        raise FieldlrError("the photos of this run are no longer where they were.")
    return capture


def _is_ideal(camera: Cameras) -> bool:
    return camera.model == "perspective" and not bool(camera.distortion.any())


def _undistorted(photo: UInt8[np.ndarray, "h w 3"], camera: Cameras) -> UInt8[np.ndarray, "h w 3"]:
    """The photo of one camera, seen through an ideal lens of the same focal lengths."""
    ideal = replace(camera, distortion=torch.zeros_like(camera.distortion), model="perspective")
    rays = ideal.image_rays(0)
    pixels, _ = camera.project(0, rays.origins + rays.directions)
    height, width = photo.shape[:2]
    places = 2.0 * pixels / torch.tensor([width, height]) - 1.0
    values = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float()
    grid = places.view(1, height, width, 2).float()
    seen = torch.nn.functional.grid_sample(values, grid, align_corners=False)
    return seen[0].permute(1, 2, 0).round().byte().numpy()


def _pair(size: torch.Tensor) -> tuple[int, int]:
    width, height = size.tolist()
    return width, height
