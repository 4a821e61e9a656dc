"""Reads transforms.json in the dialects of instant-ngp, nerfstudio and Blender (NeRF-Synthetic).

The three agree on camera-to-world matrices with OpenGL axes and on little else. A value may stand
in a frame or at the top; the frame wins.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from fieldlr.data.framing import framed
from fieldlr.data.images import picture_size, read_pictures
from fieldlr.data.repeats import unrepeated
from fieldlr.data.scene import (
    Capture,
    Photo,
    Scene,
    Split,
    checked_pose,
    path_inside,
    require_views,
)
from fieldlr.data.transforms_lens import number, read_lens
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".JPG", ".PNG", ".webp")


def can_read(path: Path) -> bool:
    if path.is_dir():
        return any((path / f"transforms{end}.json").is_file() for end in ("", "_train"))
    return path.suffix.lower() == ".json"


def read(path: Path, downscale: int = 1, most_bytes: int | None = None) -> Scene:
    capture = find(path)
    return framed(capture, read_pictures(capture, downscale, most_bytes))


def find(path: Path) -> Capture:
    """The views of one transforms.json, or of Blender's files for train and test."""
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    blender = path.name == "transforms_train.json" or (
        path.is_dir() and not (path / "transforms.json").is_file()
    )
    if not blender:
        file = path / "transforms.json" if path.is_dir() else path
        return _capture(folder, [file], upright=False)
    places = [folder / f"transforms_{part}.json" for part in ("test", "val")]
    held_out = sorted((f for f in places if f.is_file()), key=lambda f: not _has_photos(folder, f))
    return _capture(folder, [folder / "transforms_train.json", *held_out[:1]], upright=True)


def _capture(folder: Path, files: list[Path], upright: bool) -> Capture:
    views, absent, metas, warnings = [], [], [], []
    for part, file in enumerate(files):
        meta = _load(file)
        metas.append(meta)
        for index, frame in enumerate(meta["frames"]):
            where = f"{file.name}: frame {index}"
            photo = _photo(folder, frame, where)
            if photo is None:
                absent.append(str(frame["file_path"]))
            else:
                views.append(_view(meta, frame, photo, where, warnings) | {"part": part})
    num_listed = len(views) + len(absent)
    warnings += require_views(len(views), num_listed, str(files[0]), absent)
    if not upright:
        views.sort(key=lambda view: view["photo"].name)
    kept, notes = unrepeated([v["photo"] for v in views], [v["pose"] for v in views])
    views = [views[place] for place in kept]
    split, more = _split(files, metas[0], views)
    warnings += notes + more
    models = {view["model"] for view in views}
    if len(models) > 1:
        raise FieldlrError(
            f"{files[0]}: perspective and fisheye views cannot be mixed in one scene."
        )
    cameras = Cameras(
        torch.stack([view["pose"] for view in views]),
        torch.stack([view["intrinsics"] for view in views]),
        torch.tensor([view["size"] for view in views]),
        torch.stack([view["distortion"] for view in views]),
        models.pop(),
    )
    return Capture(
        name=folder.resolve().name,
        photos=[view["photo"] for view in views],
        cameras=cameras.transformed(_applied(metas[0], files[0].name).inverse()),
        split=split,
        pose_files=tuple(files),
        upright=upright,
        missing=len(absent),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _has_photos(folder: Path, file: Path) -> bool:
    frames = enumerate(_load(file)["frames"])
    return any(_photo(folder, frame, f"{file.name}: frame {index}") for index, frame in frames)


def _load(file: Path) -> dict[str, Any]:
    try:
        meta = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(f"{file}: not readable as JSON ({error}).") from error
    frames = meta.get("frames") if isinstance(meta, dict) else None
    if not isinstance(frames, list) or not frames:
        raise FieldlrError(
            f'{file}: a transforms file needs "frames", a list with one entry for each photo; '
            "there is none."
        )
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise FieldlrError(f'{file}: frame {index} needs a "file_path", the name of its photo.')
    return meta


def _photo(folder: Path, frame: dict[str, Any], where: str) -> Photo | None:
    """The files of one frame, or None where the photo does not exist."""
    stated = path_inside(folder, frame["file_path"], where)
    candidates = [stated, *(stated.with_name(stated.name + end) for end in PHOTO_SUFFIXES)]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        return None
    mask, marks = path.with_name(f"dynamic_mask_{path.stem}.png"), "ignore"
    if isinstance(frame.get("mask_path"), str):
        mask, marks = path_inside(folder, frame["mask_path"], where), "use"
        if not mask.is_file():
            raise FieldlrError(
                f"{where}: mask_path names {frame['mask_path']}, which is not there."
            )
    alpha = path.with_name(f"{path.stem}.alpha{path.suffix}")
    return Photo(
        path.relative_to(folder).as_posix(),
        path,
        mask if mask.is_file() else None,
        marks,
        alpha if alpha.is_file() else None,
    )


def _view(
    meta: dict[str, Any], frame: dict[str, Any], photo: Photo, where: str, warnings: list[str]
) -> dict[str, Any]:
    """Pose, intrinsics and lens of one frame."""
    matrix = frame.get("transform_matrix", frame.get("transform_matrix_start"))
    pose = checked_pose(_matrix(matrix, f"{where}, transform_matrix"), f"{where}, transform_matrix")
    top = {key: value for key, value in meta.items() if key != "frames"}
    lens = read_lens(top, frame, picture_size(photo.path), where, warnings)
    return {"photo": photo, "pose": pose, **lens}


def _matrix(value: Any, where: str) -> Tensor:
    try:
        matrix = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        matrix = torch.empty(0)
    if tuple(matrix.shape) not in ((3, 4), (4, 4)):
        raise FieldlrError(f"{where}: needs 3 or 4 rows of 4 numbers, camera-to-world.")
    return matrix


def _applied(meta: dict[str, Any], file: str) -> Similarity:
    """From the user's frame to the JSON's: what nerfstudio did when it wrote the file."""
    scale = number(meta, {}, "applied_scale", file, 1.0)
    if scale <= 0:
        raise FieldlrError(f"{file}: applied_scale must be positive; got {scale:g}.")
    if meta.get("applied_transform") is None:
        return Similarity(scale=scale)
    where = f"{file}: applied_transform"
    pose = checked_pose(_matrix(meta["applied_transform"], where), where)
    x, y, z = (vector(row) for row in pose[:, :3].tolist())
    return Similarity((x, y, z), scale, vector((scale * pose[:, 3]).tolist()))


def _split(
    files: list[Path], meta: dict[str, Any], views: list[dict[str, Any]]
) -> tuple[Split, list[str]]:
    """What trains and what is held out, which is never the same, and warnings."""
    if len(files) > 1:
        train, test = (tuple(i for i, v in enumerate(views) if v["part"] == p) for p in (0, 1))
        if not train:
            raise FieldlrError(f"{files[0]}: none of its photos is there to train on.")
        return _held_out(train, test, f"{files[0].name} and {files[1].name}", files[1].name)
    lists: dict[str, Any] = {
        part: meta.get(f"{part}_filenames") for part in ("train", "val", "test")
    }
    if all(listed is None for listed in lists.values()):
        return Split.every_eighth(len(views)), []
    if not all(isinstance(listed, list) for listed in lists.values()):
        raise FieldlrError(
            f"{files[0]}: train_filenames, val_filenames and test_filenames are all three needed."
        )
    held_out = "test" if lists["test"] else "val"
    stems = {part: {_stem(name) for name in map(str, lists[part])} for part in lists}
    names = [_stem(view["photo"].name) for view in views]
    train, test = (
        tuple(i for i, name in enumerate(names) if name in stems[part])
        for part in ("train", held_out)
    )
    if not train:
        raise FieldlrError(f"{files[0]}: train_filenames names no photo of the frames.")
    both = set(train) & set(test)
    test = tuple(view for view in test if view not in both)
    named = f"{held_out}_filenames"
    split, warnings = _held_out(
        train, test, f"train_filenames and {named} of {files[0].name}", named
    )
    if both:
        warnings.insert(
            0, f"{len(both)} photos of {named} are in train_filenames too: they are not held out."
        )
    return split, warnings


def _held_out(
    train: tuple[int, ...], test: tuple[int, ...], words: str, stated: str
) -> tuple[Split, list[str]]:
    """The stated split; every 8th of the training views where it holds no photo out."""
    if test:
        return Split(train, test, words), []
    eighth = Split.every_eighth(len(train), f": {stated} holds out no photo that is there")
    train, test = (tuple(train[i] for i in part) for part in (eighth.train, eighth.test))
    return Split(train, test, eighth.words), [
        f"{stated} holds out no photo that is there and is not trained on: every 8th training view "
        "is held out instead."
    ]


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.parent / path.stem)
