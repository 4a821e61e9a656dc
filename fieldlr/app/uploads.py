"""Uploaded files: untrusted, so checked before anything is stored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fieldlr.data.archives import (
    ACCEPTED_SUFFIXES,
    MAX_BYTES,
    MAX_MEMBERS,
    SHAPE_SUFFIXES,
    find_source,
    is_contained,
    may_be_empty,
    unpack,
)
from fieldlr.data.images import IMAGE_SUFFIXES
from fieldlr.data.unread import PHONE_ADVICE, is_phone_photo
from fieldlr.errors import FieldlrError

# Colours of an .obj, which are not read.
IGNORED_SUFFIXES = (".mtl",)


def store_uploads(files: Iterable[Path], folder: Path) -> Path:
    """Copies uploaded files to `folder`; the path in it that is a source, or contains photos.

    One mesh, volume or zip, or many photos with the files that contain their poses. FieldlrError
    where a file is unsupported, corrupt or unsafe.
    """
    files = [Path(file) for file in files]
    files = [file for file in files if file.suffix.lower() not in IGNORED_SUFFIXES]
    if not files:
        raise FieldlrError("no file was uploaded. Add photos, a video, a mesh or a volume.")
    if len(files) > MAX_MEMBERS:
        raise FieldlrError(
            f"at most {MAX_MEMBERS:,} files at a time; got {len(files):,}. Upload fewer."
        )
    for file in files:
        _check_file(file)
    if sum(file.stat().st_size for file in files) > MAX_BYTES:
        raise FieldlrError(f"at most {MAX_BYTES >> 30} GiB at a time. Shrink the photos.")
    if len(files) == 1 and files[0].suffix.lower() == ".zip":
        unpack(files[0], folder)
    else:
        try:
            _copy_files(files, folder)
        except OSError as error:
            raise FieldlrError(f"the files cannot be stored ({error}). Upload a zip.") from None
    return find_source(folder)


def _check_file(file: Path) -> None:
    suffix = file.suffix.lower()
    if is_phone_photo(file.name):
        raise FieldlrError(f"{file.name}: {PHONE_ADVICE}")
    if suffix not in (*ACCEPTED_SUFFIXES, ".zip"):
        raise FieldlrError(
            f"{file.name} has an unsupported file type. Upload photos "
            f"({' '.join(IMAGE_SUFFIXES)}) with transforms.json, a mesh or volume "
            f"({' '.join(SHAPE_SUFFIXES)}), or a .zip of them."
        )
    if file.stat().st_size == 0 and not may_be_empty(file):
        raise FieldlrError(f"{file.name} is empty. The upload may be incomplete: try again.")


def _copy_files(files: list[Path], folder: Path) -> None:
    """Copies loose files to the paths at which transforms.json lists them."""
    wanted: dict[str, str] = {}
    for file in files:
        if file.name.startswith("transforms") and file.suffix == ".json":
            wanted |= _listed_paths(file)
    for file in files:
        place = folder / wanted.get(file.name, wanted.get(file.stem, file.name))
        if not place.suffix:  # Blender's transforms leave out the suffix.
            place = place.with_name(place.name + file.suffix)
        if place.exists():
            raise FieldlrError(f"two of the files are named {file.name}. Upload them as a .zip.")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _listed_paths(transforms: Path) -> dict[str, str]:
    """The relative paths of the photos in a transforms.json, by file name."""
    try:
        frames = json.loads(transforms.read_text()).get("frames", [])
        paths = [str(frame["file_path"]) for frame in frames]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return {}  # The reader reports the error later.
    return {PurePosixPath(p).name: p for p in paths if is_contained(p)}
