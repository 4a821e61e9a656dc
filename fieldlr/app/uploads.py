"""Uploaded files and archives: untrusted, so checked before anything is stored."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fieldlr.data import is_source
from fieldlr.data.images import IMAGE_SUFFIXES, is_photo
from fieldlr.data.mesh import SUFFIXES as MESH_SUFFIXES
from fieldlr.data.video import VIDEO_SUFFIXES, is_video
from fieldlr.errors import FieldlrError

MAX_MEMBERS = 5000
MAX_BYTES = 8 << 30
MAX_RATIO = 200  # of an archive's bytes: photos hardly compress, a zip bomb does
RATIO_FREE_BYTES = 16 << 20  # below this size the ratio is not checked
CHUNK_BYTES = 1 << 20
MAX_DEPTH = 32
# Other methods decompress whole blocks, whatever size is requested.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

SHAPE_SUFFIXES = (*MESH_SUFFIXES, ".npz", ".npy")
POSE_SUFFIXES = (".json", ".txt", ".bin")
ACCEPTED_SUFFIXES = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *SHAPE_SUFFIXES, *POSE_SUFFIXES)
IGNORED_NAMES = ("__MACOSX", ".DS_Store", "Thumbs.db")


def store_uploads(files: Iterable[Path], folder: Path) -> Path:
    """Copies uploaded files to `folder`; the path in it that is a source, or contains photos.

    One mesh, volume or zip, or many photos with the files that contain their poses. FieldlrError
    where a file is unsupported, corrupt or unsafe.
    """
    files = [Path(file) for file in files]
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


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip; FieldlrError where a member leads out of the folder or the size explodes.

    The caller removes what was written before an error.
    """
    try:
        with zipfile.ZipFile(archive) as archive_file:
            members = _checked_members(archive_file)
            budget = _budget(archive)
            for member, name in members:
                budget = _extract(archive_file, member, folder / name, budget)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise FieldlrError(
            f"{archive.name} is a corrupt or incomplete zip archive ({error}). Zip the files again."
        ) from None


def find_source(folder: Path) -> Path:
    """The shallowest path in `folder` that a reader supports, else photos, else a video."""
    folders = [folder, *sorted((p for p in folder.rglob("*") if p.is_dir()), key=_depth)]
    for place in folders:
        if is_source(place):
            return place
    solids = sorted(
        (p for p in folder.rglob("*") if p.suffix.lower() in SHAPE_SUFFIXES), key=_depth
    )
    if len(solids) == 1:
        return solids[0]
    if solids:
        names = ", ".join(p.name for p in solids[:4])
        raise FieldlrError(f"one mesh or volume at a time; got {len(solids)}: {names}. Upload one.")
    most = max(folders, key=lambda place: len(photos_in(place)))
    if photos_in(most):
        return most
    videos = sorted((p for p in folder.rglob("*") if is_video(p)), key=_depth)
    if len(videos) == 1:
        return videos[0]
    if videos:
        raise FieldlrError(f"one video at a time; got {len(videos)}. Upload one.")
    raise FieldlrError(
        "no supported file found. Upload photos with poses (transforms.json, LLFF, COLMAP), "
        "photos alone, a video, a mesh (.obj .ply .stl .off .glb) or a volume (.npz, .npy)."
    )


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in a folder."""
    return sorted(path for path in folder.iterdir() if is_photo(path))


def _check_file(file: Path) -> None:
    suffix = file.suffix.lower()
    if suffix not in (*ACCEPTED_SUFFIXES, ".zip"):
        raise FieldlrError(
            f"{file.name} has an unsupported file type. Upload photos "
            f"({' '.join(IMAGE_SUFFIXES)}) with transforms.json, a mesh or volume "
            f"({' '.join(SHAPE_SUFFIXES)}), or a .zip of them."
        )
    if file.stat().st_size == 0:
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
    return {PurePosixPath(p).name: p for p in paths if _is_contained(p)}


def _checked_members(archive_file: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """(member, relative path) of the supported files; FieldlrError where one is unsafe."""
    members = archive_file.infolist()
    if len(members) > MAX_MEMBERS:
        raise FieldlrError(
            f"a zip may contain {MAX_MEMBERS:,} files; got {len(members):,}. Split it."
        )
    kept = []
    for member in members:
        name = member.filename.replace("\\", "/")
        if not _is_contained(name):
            raise FieldlrError(
                f"the path {name[:80]!r} in the zip leads out of it. Zip the files again."
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise FieldlrError(f"{name[:80]!r} in the zip is a symbolic link. Zip the file itself.")
        if name.count("/") > MAX_DEPTH:
            raise FieldlrError(f"{name[:80]!r} in the zip is nested too deep. Use fewer folders.")
        if member.compress_type not in COMPRESSIONS:
            raise FieldlrError(
                "the archive uses an unsupported compression method. Pack it as an ordinary zip."
            )
        if member.flag_bits & 1:
            raise FieldlrError("the zip is protected by a password. Zip the files without one.")
        suffix = PurePosixPath(name).suffix.lower()
        if (
            not member.is_dir()
            and suffix in ACCEPTED_SUFFIXES
            and not set(name.split("/")) & set(IGNORED_NAMES)
        ):
            kept.append((member, name))
    if not kept:
        raise FieldlrError("the zip contains no supported photo, video, mesh or volume.")
    return kept


def _budget(archive: Path) -> int:
    """The number of bytes to which an archive may decompress."""
    return min(MAX_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * archive.stat().st_size))


def _extract(
    archive_file: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, budget: int
) -> int:
    """Extracts a member, counting the real bytes, not the size that the archive declares."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive_file.open(member) as source, open(place, "wb") as target:
        while block := source.read(CHUNK_BYTES):
            budget -= len(block)
            if budget < 0:
                raise FieldlrError(
                    f"the zip decompresses to more than {MAX_BYTES >> 30} GiB or {MAX_RATIO} times "
                    "its size. Upload less at a time."
                )
            target.write(block)
    if place.stat().st_size == 0:
        raise FieldlrError(f"{member.filename} in the zip is empty. Zip the files again.")
    return budget


def _is_contained(name: str) -> bool:
    """Whether a relative path stays within its folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in name


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
