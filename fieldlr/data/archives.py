"""Zip archives: untrusted, so checked before anything is unpacked; and the source in a folder."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from fieldlr.data import is_source
from fieldlr.data.cloud import SUFFIXES as CLOUD_SUFFIXES
from fieldlr.data.images import IMAGE_SUFFIXES, is_photo
from fieldlr.data.mesh import SUFFIXES as MESH_SUFFIXES
from fieldlr.data.scene import FEWEST_VIEWS
from fieldlr.data.unread import PHONE_ADVICE, is_phone_photo
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

SHAPE_SUFFIXES = (*dict.fromkeys((*MESH_SUFFIXES, *CLOUD_SUFFIXES)), ".npz", ".npy")
POSE_SUFFIXES = (".json", ".txt", ".bin")
ACCEPTED_SUFFIXES = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *SHAPE_SUFFIXES, *POSE_SUFFIXES)
IGNORED_NAMES = ("__MACOSX", ".DS_Store", "Thumbs.db")


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """The source in a zip, in a temporary folder that lasts as long as the context.

    Errors name the archive instead of that folder.
    """
    with TemporaryDirectory(prefix="fieldlr-") as temporary:
        folder = Path(temporary) / archive.stem
        try:
            unpack(archive, folder)
            source = find_source(folder)
            if not is_source(source):
                raise FieldlrError(
                    f"{archive.name} contains photos or a video without camera poses. Unpack it, "
                    "then run fieldlr poses FOLDER --out DIR."
                )
            yield source
        except FieldlrError as error:
            raise FieldlrError(str(error).replace(str(folder), str(archive))) from error


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the supported files of a zip; FieldlrError where it is unsafe or corrupt.

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
    """The path in `folder` that a reader supports, else photos, else a video.

    FieldlrError where there are several sources side by side.
    """
    folders = [folder, *sorted((p for p in folder.rglob("*") if p.is_dir()), key=_depth)]
    captures: list[Path] = []
    for place in folders:
        if not any(place.is_relative_to(outer) for outer in captures) and is_source(place):
            captures.append(place)
    if len(captures) > 1:
        names = ", ".join(place.relative_to(folder).as_posix() for place in captures[:4])
        raise FieldlrError(
            f"one set of photos at a time; got {len(captures)}: {names}. Choose one of them."
        )
    if captures:
        return captures[0]
    solids = sorted(
        (p for p in folder.rglob("*") if p.suffix.lower() in SHAPE_SUFFIXES), key=_depth
    )
    if len(solids) == 1:
        return solids[0]
    if solids:
        names = ", ".join(p.name for p in solids[:4])
        raise FieldlrError(
            f"one mesh or volume at a time; got {len(solids)}: {names}. Choose one of them."
        )
    sets = _photo_sets(folders)
    if len(sets) > 1:
        names = ", ".join(
            f"{place.relative_to(folder).as_posix() if place != folder else 'the top one'} "
            f"({len(photos)})"
            for place, photos in list(sets.items())[:4]
        )
        raise FieldlrError(
            f"one set of photos at a time; got {len(sets)} folders of different photos: {names}. "
            "Choose one of them, or put the photos of one scene into one folder."
        )
    if sets:
        return next(iter(sets))
    videos = sorted((p for p in folder.rglob("*") if is_video(p)), key=_depth)
    if len(videos) == 1:
        return videos[0]
    if videos:
        raise FieldlrError(f"one video at a time; got {len(videos)}. Choose one of them.")
    raise FieldlrError(
        "no supported file found. Give photos with poses (transforms.json, LLFF, COLMAP), "
        "photos alone, a video, a mesh (.obj .ply .stl .off .glb .3mf .dae), a point cloud (.ply "
        ".xyz .pts .pcd) or a volume (.npz, .npy)."
    )


def _photo_sets(folders: list[Path]) -> dict[Path, list[Path]]:
    """Folders with photos -> those photos, the fullest first.

    Left out are folders with fewer photos than poses need, where others have enough, and those in
    which every name is also one of a fuller folder: smaller copies, masks, depths.
    """
    found = {place: photos for place in folders if (photos := photos_in(place))}
    fullest = sorted(found, key=lambda place: -len(found[place]))
    sets: dict[Path, list[Path]] = {}
    for place in fullest:
        stems = {photo.stem for photo in found[place]}
        is_copy = any(stems <= {photo.stem for photo in photos} for photos in sets.values())
        if not sets or (len(stems) >= FEWEST_VIEWS and not is_copy):
            sets[place] = found[place]
    return sets


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in a folder."""
    return sorted(path for path in folder.iterdir() if is_photo(path))


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
        if not is_contained(name):
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
    if not kept and (phone := [m.filename for m in members if is_phone_photo(m.filename)]):
        raise FieldlrError(
            f"{phone[0][:80]} and {len(phone) - 1} others in the zip: {PHONE_ADVICE}."
        )
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
                    "its size. Pack less into it."
                )
            target.write(block)
    if place.stat().st_size == 0 and not may_be_empty(place):
        raise FieldlrError(f"{member.filename} in the zip is empty. Zip the files again.")
    return budget


def may_be_empty(file: Path) -> bool:
    """Whether an empty file means something: COLMAP has no points where poses were known."""
    return file.name == "points3D.txt"


def is_contained(name: str) -> bool:
    """Whether a relative path stays within its folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in name


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
