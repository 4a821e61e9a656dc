"""Reads COLMAP captures: the largest sub-model and the folder of its photos.

COLMAP stores world-to-camera poses with +Y down and +Z forward; pixel centres are at +0.5.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fieldlr.data.colmap_model import (
    LENSES,
    Shot,
    StoredCamera,
    model_file,
    read_cameras,
    read_points,
    read_shots,
)
from fieldlr.data.framing import framed
from fieldlr.data.images import is_photo, read_pictures
from fieldlr.data.masks import with_masks
from fieldlr.data.repeats import unrepeated
from fieldlr.data.scene import (
    MOST_PIXELS,
    Capture,
    Photo,
    Scene,
    Split,
    checked_pose,
    path_inside,
    require_views,
)
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import CameraModel, Cameras
from fieldlr.geometry.rotations import from_quaternion


def can_read(path: Path) -> bool:
    return path.is_dir() and bool(_models(path))


def read(path: Path, downscale: int = 1, most_bytes: int | None = None) -> Scene:
    capture = find(path)
    return framed(capture, read_pictures(capture, downscale, most_bytes))


def find(path: Path) -> Capture:
    """The views of the sub-model with the most registered images."""
    path = Path(path)
    models = {model: read_shots(model) for model in _models(path)}
    model = max(models, key=lambda candidate: len(models[candidate]))
    shots = sorted(models[model], key=lambda shot: shot.name)
    stored = read_cameras(model)
    folder = _photo_folder(path, model)
    base = folder.parent
    there = [path_inside(folder, shot.name, str(model)).is_file() for shot in shots]
    present = [shot for shot, is_there in zip(shots, there, strict=True) if is_there]
    absent = [shot.name for shot, is_there in zip(shots, there, strict=True) if not is_there]
    warnings = require_views(len(present), len(shots), str(model), absent)
    unposed = _unregistered(folder, shots)
    if unposed:
        warnings.append(
            f"{unposed} photos in {folder.name} have no pose in the model and are left out."
        )
    if len(models) > 1:
        counts = ", ".join(f"{m.name}: {len(s)}" for m, s in models.items())
        warnings.append(f"Of {len(models)} sub-models (views: {counts}) the largest is read.")
    photos = [
        Photo((folder / s.name).relative_to(base).as_posix(), folder / s.name) for s in present
    ]
    poses = [_pose(shot, f"{model}: {shot.name}") for shot in present]
    kept, repeats = unrepeated(photos, poses)
    present = [present[place] for place in kept]
    photos, notes = with_masks([photos[place] for place in kept], base)
    return Capture(
        name=base.resolve().name,
        photos=photos,
        cameras=_cameras(present, stored, model),
        split=Split.every_eighth(len(present)),
        pose_files=tuple(
            f for f in (model_file(model, "cameras"), model_file(model, "images")) if f
        ),
        points=read_points(model),
        missing=len(absent),
        warnings=tuple(warnings + repeats + notes),
    )


def _models(path: Path) -> list[Path]:
    """Folders that hold a model, at the places where COLMAP and nerfstudio put them."""
    patterns = ("sparse", "sparse/*", "colmap/sparse/*")
    places = [path, *(place for pattern in patterns for place in sorted(path.glob(pattern)))]
    return [
        place for place in places if model_file(place, "images") and model_file(place, "cameras")
    ]


def _photo_folder(path: Path, model: Path) -> Path:
    between = [place for place in model.parents if path in place.parents]
    bases = (path, model, *between, _base(model))
    folders = [
        base / name for base in bases for name in ("images", "images_2", "images_4", "images_8")
    ]
    for folder in folders:
        if folder.is_dir():
            return folder
    raise FieldlrError(f"{path}: no folder images with the photos of the COLMAP model.")


def _base(model: Path) -> Path:
    """Where a scene begins whose model is scene/sparse/0, scene/sparse or scene/colmap/sparse/0."""
    sparse = next((place for place in (model, model.parent) if place.name == "sparse"), None)
    base = sparse.parent if sparse else model
    return base.parent if base.name == "colmap" else base


def _unregistered(folder: Path, shots: list[Shot]) -> int:
    names = {folder / shot.name for shot in shots}
    return sum(is_photo(file) and file not in names for file in folder.rglob("*"))


def _cameras(shots: list[Shot], stored: dict[int, StoredCamera], model: Path) -> Cameras:
    used = {}
    for shot in shots:
        if shot.camera not in stored:
            raise FieldlrError(
                f"{model}: {shot.name} names camera {shot.camera}, which is not listed."
            )
        used[shot.camera] = _intrinsics(stored[shot.camera], f"{model}: camera {shot.camera}")
    lenses = [stored[shot.camera].lens for shot in shots]
    kinds: set[CameraModel] = {lens.model for lens in lenses if lens.model is not None}
    if len(kinds) > 1:
        raise FieldlrError(
            f"{model}: perspective and fisheye cameras cannot be mixed in one scene."
        )
    return Cameras(
        torch.stack([_pose(shot, f"{model}: {shot.name}") for shot in shots]),
        torch.stack([used[shot.camera][0] for shot in shots]),
        torch.tensor([stored[shot.camera].size for shot in shots]),
        torch.stack([used[shot.camera][1] for shot in shots]),
        kinds.pop(),
    )


def _intrinsics(camera: StoredCamera, where: str) -> tuple[Tensor, Tensor]:
    if camera.lens.model is None:
        able = ", ".join(lens.name for lens in LENSES.values() if lens.model)
        raise FieldlrError(
            f"{where}: the camera model {camera.lens.name} is not read. Run COLMAP's "
            f"image_undistorter, or use one of {able}."
        )
    named = dict(zip(camera.lens.parameters.split(), camera.parameters, strict=True))
    values = [named.get("fx", named.get("f")), named.get("fy", named.get("f"))]
    intrinsics = torch.tensor([*values, named["cx"], named["cy"]])
    distortion = torch.tensor([named.get(key, 0.0) for key in ("k1", "k2", "k3", "k4", "p1", "p2")])
    finite = torch.isfinite(torch.cat([intrinsics, distortion])).all()
    if (
        not finite
        or (intrinsics[:2] <= 0).any()
        or not all(0 < s <= MOST_PIXELS for s in camera.size)
    ):
        raise FieldlrError(f"{where}: sizes and focal lengths must be positive and finite.")
    return intrinsics, distortion


def _pose(shot: Shot, where: str) -> Tensor:
    quaternion = torch.tensor(shot.rotation, dtype=torch.float64)
    norm = quaternion.norm()
    if not 0.5 < norm < 2.0:
        raise FieldlrError(
            f"{where}: the rotation must be a unit quaternion; its length is {norm:g}."
        )
    rotation = from_quaternion(shot.rotation)
    position = -rotation.T @ torch.tensor(shot.translation, dtype=torch.float64)
    axes = rotation.T * torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    return checked_pose(torch.cat([axes, position[:, None]], 1), where)
