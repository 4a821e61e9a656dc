"""Sources from arrays: photos with cameras, triangles, voxels. They are read as files are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from fieldlr.data import Source, voxels
from fieldlr.data.framing import framed
from fieldlr.data.images import Pictures, fit_to_sizes
from fieldlr.data.masks import require_visible
from fieldlr.data.mesh import cleaned
from fieldlr.data.options import ReadingOptions
from fieldlr.data.scene import Capture, Mask, Photo, Pixels, Split, require_views
from fieldlr.data.volume import MAX_VOXELS, make_volume
from fieldlr.errors import FieldlrError
from fieldlr.geometry.arrays import ArrayLike
from fieldlr.geometry.boxes import Aabb, vector
from fieldlr.geometry.cameras import Cameras

FORMAT = "arrays"  # where a file's source names its reader


def photos(
    images: Sequence[ArrayLike] | ArrayLike,
    cameras: Cameras,
    *,
    masks: Sequence[ArrayLike | None] | ArrayLike | None = None,
    test: Sequence[int] | None = None,
    name: str = "photos",
) -> Source:
    """A source of posed photos: `fit(photos(images, cameras))`.

    images: n arrays (height, width, 3), or with alpha (height, width, 4), or grey (height, width);
    bytes, or floats in [0, 1]; pictures of pillow are arrays too. Row 0 is the top. Where alpha is
    0 there is nothing: photos of an object cut out need no background. cameras: n of them, in your
    own coordinates and units (`Cameras.of`). masks: for each photo booleans (height, width), True
    where a pixel counts, or None. test: indices of the photos that are held out, by default every
    8th. FieldlrError where shapes or numbers do not fit.
    """
    pixels = [_pixels(f"images[{i}]", image) for i, image in enumerate(images)]  # pyright: ignore
    if len(pixels) != len(cameras):
        raise FieldlrError(
            f"every photo has a camera; got {len(pixels)} `images` and {len(cameras)} `cameras`."
        )
    require_views(len(pixels), len(pixels), name, [])
    names = [f"{name} {index}" for index in range(len(pixels))]
    sizes = [(image.shape[1], image.shape[0]) for image in pixels]
    cameras, notes = fit_to_sizes(cameras, sizes, names)
    known = _masks(masks, sizes)
    digest = hashlib.sha256()
    for array in (*pixels, *(one for one in known if one is not None), *_tensors(cameras)):
        digest.update(f"{tuple(array.shape)}".encode() + array.contiguous().numpy().tobytes())
    capture = Capture(
        name, [Photo(one, Path(one)) for one in names], cameras, _split(test, len(pixels)), ()
    )
    shares = [1.0 if one is None else float(one.float().mean()) for one in known]
    require_visible(capture, known, shares)
    pictures = Pictures(
        pixels,
        known if any(one is not None for one in known) else None,
        cameras,
        tuple(notes),
        digest.hexdigest(),
    )
    return Source("photos", FORMAT, framed(capture, pictures))


def mesh(
    vertices: Any, faces: ArrayLike | None = None, *, grid: int | None = None, name: str = "mesh"
) -> Source:
    """A source of a surface: `fit(mesh(vertices, faces))`, or of a trimesh: `fit(mesh(surface))`.

    vertices: (v, 3) in your own coordinates and units. faces: (f, 3) indices, counter-clockwise
    seen from outside. The solid inside is sampled with `grid` voxels along the longest edge of its
    box, 512 unless said; open surfaces and inconsistent faces are repaired where that can be, and
    `fit` says how. Instead of both, an object that has `vertices` and `faces`. FieldlrError where
    the arrays are no triangles, or enclose nothing.
    """
    if faces is None:
        if not (hasattr(vertices, "vertices") and hasattr(vertices, "faces")):
            raise FieldlrError(
                "a mesh is `vertices` (v, 3) and `faces` (f, 3), or an object that has both, such "
                f"as a trimesh; got {type(vertices).__name__} alone."
            )
        vertices, faces = vertices.vertices, vertices.faces
    chosen = ReadingOptions(grid=grid).grid
    corners = _array("vertices", vertices)
    triangles = _array("faces", faces)
    if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "fiu":
        raise FieldlrError(f"`vertices` are numbers of shape (v, 3); got {_kind_of(corners)}.")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise FieldlrError(
            f"`faces` are whole numbers of shape (f, 3), triangles; got {_kind_of(triangles)}."
        )
    if not len(triangles):
        raise FieldlrError("a mesh has one face or more; got none.")
    place = Path(name)
    surface, notes = cleaned(place, corners.astype(np.float64), triangles.astype(np.int64), None)
    cells, aabb, surface, more = voxels.solid(surface, chosen)
    return Source("mesh", FORMAT, make_volume(name, cells, aabb, surface, (*notes, *more)))


def volume(array: ArrayLike, *, bounds: ArrayLike | None = None, name: str = "volume") -> Source:
    """A source of voxels: `fit(volume(grid > level))`.

    array: booleans (nx, ny, nz), True inside; voxel (i, j, k) is the one at x_i, y_j, z_k. bounds:
    ((x0, y0, z0), (x1, y1, z1)), the corners of the whole grid in your own coordinates; without
    them a voxel is 1 long and the grid begins at the origin. FieldlrError where the array is no
    such grid, or is all inside or all outside.
    """
    grid = _array("array", array)
    if grid.dtype != bool or grid.ndim != 3:
        raise FieldlrError(
            f"a volume is booleans of shape (nx, ny, nz); got {_kind_of(grid)}. Compare it with a "
            "level first: `array > level`, or `array < 0` for signed distances."
        )
    if not 0 < grid.size <= MAX_VOXELS:
        raise FieldlrError(f"a volume has 1 to {MAX_VOXELS:,} voxels; got {grid.size:,}.")
    return Source("volume", FORMAT, make_volume(name, np.ascontiguousarray(grid), _box(bounds)))


def _box(bounds: ArrayLike | None) -> Aabb | None:
    if bounds is None:
        return None
    box = _array("bounds", bounds)
    sound = box.shape == (2, 3) and box.dtype.kind in "fiu" and np.isfinite(box).all()
    if not sound or not (box[0] < box[1]).all():
        raise FieldlrError(
            "`bounds` are ((x0, y0, z0), (x1, y1, z1)), finite, each lower value below its upper "
            f"one; got {str(bounds)[:80]}."
        )
    return Aabb(vector(box[0].tolist()), vector(box[1].tolist()))


def _pixels(name: str, given: Any) -> Pixels:
    """A photo as bytes (h, w, 3) or (h, w, 4)."""
    image = _array(name, given)
    image = np.repeat(image[..., None], 3, -1) if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[-1] not in (3, 4) or not image.size:
        raise FieldlrError(
            f"`{name}` has shape (height, width, 3), (height, width, 4) or (height, width); got "
            f"{image.shape}."
        )
    if image.dtype.kind == "f":
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
        if not np.isfinite(image).all() or low < -1e-3 or high > 1.0 + 1e-3:
            raise FieldlrError(
                f"`{name}` has floats from {low:g} to {high:g}; they belong into [0, 1]. Divide "
                "them by their largest value, or give bytes (uint8)."
            )
        image = np.rint(image.clip(0.0, 1.0) * 255.0).astype(np.uint8)
    if image.dtype != np.uint8:
        raise FieldlrError(
            f"`{name}` is of bytes (uint8) or of floats in [0, 1]; got {image.dtype}."
        )
    return torch.from_numpy(image.copy())


def _masks(given: Any, sizes: list[tuple[int, int]]) -> list[Mask | None]:
    """A mask or None for each photo."""
    if given is None:
        return [None] * len(sizes)
    if len(given) != len(sizes):
        raise FieldlrError(
            f"`masks` has one entry for each photo, or None; got {len(given)} for {len(sizes)}."
        )
    found: list[Mask | None] = []
    for index, (one, (width, height)) in enumerate(zip(given, sizes, strict=True)):
        mask = None if one is None else _array(f"masks[{index}]", one)
        if mask is not None and (mask.dtype != bool or mask.shape != (height, width)):
            raise FieldlrError(
                f"`masks[{index}]` is booleans ({height}, {width}), True where a pixel counts; got "
                f"{_kind_of(mask)}."
            )
        found.append(None if mask is None else torch.from_numpy(mask.copy()))
    return found


def _split(test: Sequence[int] | None, count: int) -> Split:
    if test is None:
        return Split.every_eighth(count)
    held_out = tuple(sorted({int(index) for index in test}))
    if not held_out or held_out[0] < 0 or held_out[-1] >= count or len(held_out) == count:
        raise FieldlrError(
            f"`test` names some of the {count} photos, counted from 0, and leaves others to train; "
            f"got {str(list(test))[:60]}."
        )
    train = tuple(index for index in range(count) if index not in held_out)
    return Split(train, held_out, "the views that `test` names are held out")


def _tensors(cameras: Cameras) -> tuple[Shaped[Tensor, " ..."], ...]:
    return cameras.camera_to_world, cameras.intrinsics, cameras.sizes, cameras.distortion


def _array(name: str, given: Any) -> Shaped[np.ndarray, " ..."]:
    given = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise FieldlrError(f"`{name}` is no array: {str(error)[:80]}.") from None
    if array.dtype == object:
        raise FieldlrError(f"`{name}` is an array of numbers; got {type(given).__name__}.")
    return array


def _kind_of(array: Shaped[np.ndarray, " ..."]) -> str:
    return f"{array.dtype} of shape {array.shape}"
