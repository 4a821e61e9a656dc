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
from fieldlr.data.masks import with_masks
from fieldlr.data.photo_names import find_photos, images_folder, literal
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

PHOTO_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".JPG", ".PNG", ".webp")


def can_read(path: Path) -> bool:
    if path.is_dir():
        return any((path / f"transforms{end}.json").is_file() for end in ("", "_train"))
    return path.suffix.lower() == ".json"


def read(
    path: Path,
    downscale: int = 1,
    images: str | None = None,
    most_bytes: int | None = None,
) -> Scene:
    capture = find(path, images)
    return framed(capture, read_pictures(capture, downscale, most_bytes))


def find(path: Path, images: str | None = None) -> Capture:
    """The views of one transforms.json, or of Blender's files for train and test.

    Photos lie under the folder `images`, by default that of the file.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    blender = path.name == "transforms_train.json" or (
        path.is_dir() and not (path / "transforms.json").is_file()
    )
    if not blender:
        file = path / "transforms.json" if path.is_dir() else path
        return _capture(folder, [file], images, upright=False)
    held_out = [folder / f"transforms_{part}.json" for part in ("test", "val")]
    files = [folder / "transforms_train.json", *[file for file in held_out if file.is_file()]]
    return _capture(folder, files, images, upright=True)


def _capture(folder: Path, files: list[Path], images: str | None, upright: bool) -> Capture:
    root = folder if images is None else images_folder(folder, images)
    files, metas, warnings = _loaded(files, root)
    frames = [
        (part, frame, f"{file.name}: frame {index}")
        for part, (file, meta) in enumerate(zip(files, metas, strict=True))
        for index, frame in enumerate(meta["frames"])
    ]
    names = [str(frame["file_path"]) for _, frame, _ in frames]
    found = find_photos(root, names, files[0].name, PHOTO_SUFFIXES)
    views, warnings = [], warnings + found.warnings
    for (part, frame, where), path in zip(frames, found.paths, strict=True):
        if path is not None:
            photo = _photo(folder, root, path, frame, where)
            views.append(_view(metas[part], frame, photo, where, warnings) | {"part": part})
    absent = [name for name, path in zip(names, found.paths, strict=True) if path is None]
    folders = {view["photo"].path.parent for view in views}
    place = root if len(folders) != 1 else folders.pop()
    photos, notes = with_masks([view["photo"] for view in views], place, (root, folder))
    views = [view | {"photo": photo} for view, photo in zip(views, photos, strict=True)]
    warnings += notes
    num_listed = len(views) + len(absent)
    warnings += require_views(len(views), num_listed, str(files[0]), absent, found.hint)
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


def _loaded(files: list[Path], root: Path) -> tuple[list[Path], list[dict[str, Any]], list[str]]:
    """(files, what they hold, notes): the first, and one of the others with frames.

    One with photos under `root` goes before one without.
    """
    metas, notes, others = [_load(files[0], may_be_empty=False)], [], []
    for file in files[1:]:
        meta = _load(file, may_be_empty=True)
        if meta["frames"]:
            others.append((file, meta))
        else:
            notes.append(f"{file.name} lists no frames and is left out.")
    others.sort(key=lambda pair: not _has_photos(root, *pair))
    chosen = others[:1]
    return [files[0], *[f for f, _ in chosen]], [*metas, *[m for _, m in chosen]], notes


def _has_photos(root: Path, file: Path, meta: dict[str, Any]) -> bool:
    names = (str(frame["file_path"]) for frame in meta["frames"])
    return any(literal(root, name, file.name, PHOTO_SUFFIXES) is not None for name in names)


def _load(file: Path, may_be_empty: bool) -> dict[str, Any]:
    try:
        meta = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(f"{file}: not readable as JSON ({error}).") from error
    frames = meta.get("frames") if isinstance(meta, dict) else None
    if not isinstance(frames, list) or not (frames or may_be_empty):
        raise FieldlrError(
            f'{file}: a transforms file needs "frames", a list with one entry for each photo; '
            "there is none."
        )
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise FieldlrError(f'{file}: frame {index} needs a "file_path", the name of its photo.')
    return meta


def _photo(folder: Path, root: Path, path: Path, frame: dict[str, Any], where: str) -> Photo:
    """A photo under `root` and what lies beside it."""
    mask, marks = path.with_name(f"dynamic_mask_{path.stem}.png"), "ignore"
    if isinstance(frame.get("mask_path"), str):
        mask, marks = path_inside(folder, frame["mask_path"], where), "use"
        if not mask.is_file():
            raise FieldlrError(
                f"{where}: mask_path names {frame['mask_path']}, which is not there."
            )
    alpha = path.with_name(f"{path.stem}.alpha{path.suffix}")
    return Photo(
        path.relative_to(root).as_posix(),
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
    given = [part for part in lists if lists[part] is not None]
    if given in (["train"], ["val"], ["test"], ["val", "test"]) or not all(
        isinstance(lists[part], list) for part in given
    ):
        raise FieldlrError(
            f"{files[0]}: train_filenames is a list of photos, and so is val_filenames or "
            "test_filenames beside it."
        )
    lists |= {part: [] for part in lists if lists[part] is None}
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
