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
from fieldlr.data.photo_names import FoundPhotos, find_photos, images_folder, literal
from fieldlr.data.repeats import unrepeated
from fieldlr.data.scene import (
    MOST_PIXELS,
    Capture,
    Photo,
    Scene,
    Split,
    checked_pose,
    require_views,
)
from fieldlr.errors import FieldlrError
from fieldlr.geometry.cameras import CameraModel, Cameras
from fieldlr.geometry.rotations import from_quaternion

MODEL_PLACES = (
    ("sparse", "sparse/*", "colmap/sparse/*"),
    ("dense/sparse", "dense/*/sparse", "undistorted/sparse", "distorted/sparse/*"),
)
# Where photos lie beside a model; of two folders with the same photos the first is taken.
PHOTO_PLACES = (
    "images", "input", "rgb", "image", "color", "photos", "imgs", "frames", "dense/images",
    "dense/0/images", "undistorted/images", "images_2", "images_4", "images_8",
)  # fmt: skip


def can_read(path: Path) -> bool:
    return path.is_dir() and bool(_models(path))


def read(
    path: Path,
    downscale: int = 1,
    images: str | None = None,
    most_bytes: int | None = None,
) -> Scene:
    capture = find(path, images)
    return framed(capture, read_pictures(capture, downscale, most_bytes))


def find(path: Path, images: str | None = None) -> Capture:
    """The views of the sub-model with the most registered images, photos of the folder `images`."""
    path = Path(path)
    models = {model: read_shots(model) for model in _models(path)}
    model = max(models, key=lambda candidate: len(models[candidate]))
    shots = sorted(models[model], key=lambda shot: shot.name)
    stored = read_cameras(model)
    names = [shot.name for shot in shots]
    if images is None:
        folder, found = _photo_folder(path, model, names)
    else:
        folder = images_folder(path, images)
        found = find_photos(folder, names, str(model))
    pairs = list(zip(shots, found.paths, strict=True))
    present = [shot for shot, file in pairs if file is not None]
    files = [file for _, file in pairs if file is not None]
    absent = [shot.name for shot, file in pairs if file is None]
    warnings = list(found.warnings)
    warnings += require_views(len(present), len(shots), str(model), absent, found.hint)
    unposed = _unregistered(files)
    if unposed:
        warnings.append(
            f"{unposed} photos in {folder.name} have no pose in the model and are left out."
        )
    if len(models) > 1:
        counts = ", ".join(f"{m.name}: {len(s)}" for m, s in models.items())
        warnings.append(f"Of {len(models)} sub-models (views: {counts}) the largest is read.")
    base = folder if folder in (path, _base(model)) else folder.parent
    photos = [Photo(file.relative_to(base).as_posix(), file) for file in files]
    poses = [_pose(shot, f"{model}: {shot.name}") for shot in present]
    kept, repeats = unrepeated(photos, poses)
    present = [present[place] for place in kept]
    photos, notes = with_masks([photos[place] for place in kept], folder, (base, _base(model)))
    return Capture(
        name=_base(path).resolve().name,
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
    """Folders that hold a model, at the places where COLMAP and nerfstudio put them.

    Those of the undistorter and of Gaussian splatting's converter count where there are no others.
    """
    for patterns in MODEL_PLACES:
        places = [path, *(place for pattern in patterns for place in sorted(path.glob(pattern)))]
        found = [p for p in places if model_file(p, "images") and model_file(p, "cameras")]
        if found:
            return found
    return []


def _photo_folder(path: Path, model: Path, names: list[str]) -> tuple[Path, FoundPhotos]:
    """(folder, photos in it): the place that holds the most of the names."""
    between = [place for place in model.parents if path in place.parents]
    bases = list(dict.fromkeys((path, model, *between, _base(model))))
    places = [base / name for base in bases for name in PHOTO_PLACES]
    folders = [place for place in (*places, *bases) if place.is_dir()]
    counts = [sum(literal(f, name, str(model)) is not None for name in names) for f in folders]
    if max(counts):
        folder = folders[counts.index(max(counts))]
        return folder, find_photos(folder, names, str(model))
    # Folders of photos first: under a whole scene a name may fit in more than one of them.
    found = [(folder, find_photos(folder, names, str(model))) for folder in folders]
    folder, best = max(found, key=lambda pair: pair[1].count)
    if best.count == 0:
        raise FieldlrError(
            f"{path}: the photos of the COLMAP model ({names[0][:80]} and others) are in none of "
            f"the usual places: {', '.join(PHOTO_PLACES)}, or the folder itself.{best.hint} Name "
            "the folder that holds them: `images`."
        )
    return folder, best


def _base(model: Path) -> Path:
    """Where a scene begins whose model is scene/sparse/0, scene/sparse or scene/colmap/sparse/0."""
    sparse = next((place for place in (model, model.parent) if place.name == "sparse"), None)
    base = sparse.parent if sparse else model
    return base.parent if base.name in ("colmap", "distorted") else base


def _unregistered(files: list[Path]) -> int:
    """Photos beside those that have a pose."""
    posed = set(files)
    places = {file.parent for file in files}
    beside = (file for place in places for file in place.iterdir())
    return sum(is_photo(file) and file not in posed for file in beside)


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
    named = dict(zip(camera.lens.parameters.split(), camera.parameters, strict=True))
    odd = [name for name in camera.lens.unknown.split() if named[name] != 0.0]
    if camera.lens.model is None or odd:
        able = ", ".join(lens.name for lens in LENSES.values() if lens.model and not lens.unknown)
        terms = f" with {', '.join(odd)} other than 0" if odd and camera.lens.model else ""
        raise FieldlrError(
            f"{where}: the camera model {camera.lens.name}{terms} is not read. "
            f"{camera.lens.way_out}, or use one of {able}."
        )
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
