"""Reads LLFF captures: poses_bounds.npy beside folders of photos.

Each row is a 3 x 5 matrix [R | t | (height, width, focal)] and the nearest and farthest depth; the
columns of R point down, right and backward. Sizes and focal are those of the full-size photos.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fieldlr.data.arrays import mapped
from fieldlr.data.framing import framed
from fieldlr.data.images import fit_to_sizes, is_photo, picture_size, read_pictures
from fieldlr.data.masks import with_masks
from fieldlr.data.photo_names import images_folder
from fieldlr.data.scene import (
    FARTHEST,
    MOST_PIXELS,
    Capture,
    Photo,
    Scene,
    Split,
    checked_pose,
    require_views,
)
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import Cameras

# The longest side that photos may have and still be chosen when several sizes lie side by side.
COMFORTABLE_PIXELS = 1600
# column: (what it is, the most that it may be).
COLUMNS = {
    4: ("height", MOST_PIXELS),
    9: ("width", MOST_PIXELS),
    14: ("focal length", FARTHEST),
    15: ("near depth", FARTHEST),
    16: ("far depth", FARTHEST),
}


def can_read(path: Path) -> bool:
    return path.name == "poses_bounds.npy" or (path / "poses_bounds.npy").is_file()


def read(
    path: Path,
    downscale: int = 1,
    images: str | None = None,
    most_bytes: int | None = None,
) -> Scene:
    capture = find(path, images)
    return framed(capture, read_pictures(capture, downscale, most_bytes))


def find(path: Path, images: str | None = None) -> Capture:
    """The views of a poses_bounds.npy, sorted as their photos are named, in the folder `images`."""
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    file = folder / "poses_bounds.npy"
    rows = _rows(file)
    files, warnings = _photo_files(folder, images)
    if len(files) != len(rows):
        raise FieldlrError(
            f"{file}: {len(rows)} poses, but {files[0].parent} holds {len(files)} photos. LLFF "
            "pairs them in the order of their names, so the counts must be equal: remove photos "
            "that have no pose."
        )
    require_views(len(files), len(rows), str(file), [])
    place = files[0].parent
    photos = [Photo(f"{place.name}/{image.name}", image) for image in files]
    photos, notes = with_masks(photos, place, (folder,))
    sizes = [picture_size(image) for image in files]
    cameras, _ = fit_to_sizes(_cameras(rows, file), sizes, [photo.name for photo in photos])
    return Capture(
        name=folder.resolve().name,
        photos=photos,
        cameras=cameras,
        split=Split.every_eighth(len(files)),
        pose_files=(file,),
        bounds=(float(rows[:, 15].min()), float(rows[:, 16].max())),
        warnings=tuple(warnings + notes),
    )


def _rows(file: Path) -> np.ndarray:
    try:
        rows = mapped(file)
    except (OSError, ValueError) as error:
        raise FieldlrError(
            f"{file}: not readable as a NumPy array of numbers ({error})."
        ) from error
    if rows.ndim != 2 or rows.shape[1] != 17:
        raise FieldlrError(
            f"{file}: needs 17 numbers a view (a 3 x 5 pose, nearest and farthest depth); "
            f"got an array of shape {rows.shape}."
        )
    if rows.dtype.kind not in "fiu":
        raise FieldlrError(f"{file}: needs real numbers; got type {rows.dtype}.")
    rows = rows.astype(np.float64)
    for column, (meaning, most) in COLUMNS.items():
        bad = np.flatnonzero(~((rows[:, column] > 0) & (rows[:, column] <= most)))
        if len(bad):
            value = rows[bad[0], column]
            raise FieldlrError(
                f"{file}: row {bad[0]}: the {meaning} must be positive and at most {most:g}; got "
                f"{value:g}."
            )
    return rows


def _cameras(rows: np.ndarray, file: Path) -> Cameras:
    matrices = torch.from_numpy(rows[:, :15]).reshape(-1, 3, 5)
    down, right, backward, position, shape = matrices.unbind(-1)
    poses = torch.stack([right, -down, backward, position], -1)
    height, width, focal = shape.unbind(-1)
    return Cameras(
        torch.stack([checked_pose(pose, f"{file}: row {i}") for i, pose in enumerate(poses)]),
        torch.stack([focal, focal, width / 2, height / 2], -1).float(),
        torch.stack([width, height], -1).round().long(),
        torch.zeros(len(rows), 6),
    )


def _photo_files(folder: Path, images: str | None) -> tuple[list[Path], list[str]]:
    """The photos of the folder `images`, else of the largest comfortable size; what was chosen."""
    if images is not None:
        place = images_folder(folder, images)
        files = sorted(file for file in place.iterdir() if is_photo(file))
        if not files:
            raise FieldlrError(f"`images` is the folder that holds the photos; {place} has none.")
        return files, []
    found = {}
    for place in sorted(folder.glob("images*")):
        files = sorted(f for f in place.glob("*") if is_photo(f))
        if files:
            found[place.name] = (max(picture_size(files[0])), files)
    if not found:
        raise FieldlrError(
            f"{folder}: no photos. LLFF keeps them in images, images_4 or images_8; name another "
            "folder: `images`."
        )
    fits = {name: entry for name, entry in found.items() if entry[0] <= COMFORTABLE_PIXELS}
    choose, pool = (max, fits) if fits else (min, found)
    name = choose(pool, key=lambda key: pool[key][0])
    others = ", ".join(sorted(set(found) - {name}))
    note = (
        f"Photos are taken from {name} ({pool[name][0]} px on the longer side), not from {others}."
    )
    return pool[name][1], [note] if others else []
