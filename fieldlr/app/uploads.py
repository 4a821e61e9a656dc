"""What strangers send: files and archives, vetted before anything is kept."""

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
MAX_RATIO = 200  # of an archive's bytes: photos hardly shrink, a zip bomb is nothing else
RATIO_FREE_BYTES = 16 << 20  # below this much nobody is harmed
CHUNK_BYTES = 1 << 20
MOST_LEVELS = 32
# Others expand a whole block at a time, whatever is asked of them.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

SOLIDS = (*MESH_SUFFIXES, ".npz", ".npy")
NOTES = (".json", ".txt", ".bin")
KNOWN = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *SOLIDS, *NOTES)
LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db")


def take(files: Iterable[Path], folder: Path) -> Path:
    """Puts uploaded files into `folder`; the path in it that is a source, or holds photos.

    One mesh, volume or zip, or many photos with what says where they were taken from. FieldlrError
    in a sentence where something is not to be had or not to be trusted.
    """
    files = [Path(file) for file in files]
    if not files:
        raise FieldlrError("nothing was sent. Drop photos with their poses, a mesh or a volume.")
    if len(files) > MAX_MEMBERS:
        raise FieldlrError(f"at most {MAX_MEMBERS:,} files at a time; got {len(files):,}.")
    for file in files:
        _check_file(file)
    if sum(file.stat().st_size for file in files) > MAX_BYTES:
        raise FieldlrError(f"at most {MAX_BYTES >> 30} GiB at a time. Send smaller photos.")
    if len(files) == 1 and files[0].suffix.lower() == ".zip":
        unpack(files[0], folder)
    else:
        try:
            _place(files, folder)
        except OSError as error:
            raise FieldlrError(f"the files cannot be put in place ({error}). Send a zip.") from None
    return find_source(folder)


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip whose members all stay within the folder, and which does not grow too large.

    What has been written when it turns out to be too large, the caller drops.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = _vetted(packed)
            budget = _budget(archive)
            for member, name in members:
                budget = _copy_out(packed, member, folder / name, budget)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise FieldlrError(
            f"{archive.name} is not a whole zip archive ({error}). Pack it again."
        ) from None


def find_source(folder: Path) -> Path:
    """The shallowest path under `folder` that a reader says yes to, else photos, or a video."""
    folders = [folder, *sorted((p for p in folder.rglob("*") if p.is_dir()), key=_depth)]
    for place in folders:
        if is_source(place):
            return place
    solids = sorted((p for p in folder.rglob("*") if p.suffix.lower() in SOLIDS), key=_depth)
    if len(solids) == 1:
        return solids[0]
    if solids:
        names = ", ".join(p.name for p in solids[:4])
        raise FieldlrError(f"one mesh or volume at a time; got {len(solids)}: {names}.")
    most = max(folders, key=lambda place: len(photos_in(place)))
    if photos_in(most):
        return most
    videos = sorted((p for p in folder.rglob("*") if is_video(p)), key=_depth)
    if len(videos) == 1:
        return videos[0]
    if videos:
        raise FieldlrError(f"one video at a time; got {len(videos)}. Send them one by one.")
    raise FieldlrError(
        "there is nothing here that fieldlr reads: posed photos (transforms.json, LLFF, COLMAP), "
        "photos alone, a video, a mesh (.obj .ply .stl .off .glb) or a volume (.npz, .npy)."
    )


def photos_in(folder: Path) -> list[Path]:
    """The photos that lie directly in a folder."""
    return sorted(path for path in folder.iterdir() if is_photo(path))


def _check_file(file: Path) -> None:
    suffix = file.suffix.lower()
    if suffix not in (*KNOWN, ".zip"):
        raise FieldlrError(
            f"{file.name} is of no kind that fieldlr reads. Send photos "
            f"({' '.join(IMAGE_SUFFIXES)}) with transforms.json, a mesh or volume "
            f"({' '.join(SOLIDS)}), or all of it as .zip."
        )
    if file.stat().st_size == 0:
        raise FieldlrError(f"{file.name} is empty. It may not have been sent whole: try again.")


def _place(files: list[Path], folder: Path) -> None:
    """Loose files, each where transforms.json says that it lies."""
    wanted: dict[str, str] = {}
    for file in files:
        if file.name.startswith("transforms") and file.suffix == ".json":
            wanted |= _named_places(file)
    for file in files:
        place = folder / wanted.get(file.name, wanted.get(file.stem, file.name))
        if not place.suffix:  # Blender's transforms leave the suffix out.
            place = place.with_name(place.name + file.suffix)
        if place.exists():
            raise FieldlrError(f"two of the files are called {file.name}. Send them as a .zip.")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _named_places(transforms: Path) -> dict[str, str]:
    """The relative places that a transforms.json gives its photos, by the photos' names."""
    try:
        frames = json.loads(transforms.read_text()).get("frames", [])
        paths = [str(frame["file_path"]) for frame in frames]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return {}  # The reader will say what is wrong with it.
    return {PurePosixPath(p).name: p for p in paths if _inside(p)}


def _vetted(packed: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """(member, relative place) of all that is worth keeping."""
    members = packed.infolist()
    if len(members) > MAX_MEMBERS:
        raise FieldlrError(f"an archive may have {MAX_MEMBERS:,} members; got {len(members):,}.")
    kept = []
    for member in members:
        name = member.filename.replace("\\", "/")
        if not _inside(name):
            raise FieldlrError(f"the archive's {name[:80]!r} leads out of it. Pack it again.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise FieldlrError(f"the archive's {name[:80]!r} is a link. Pack the file itself.")
        if name.count("/") > MOST_LEVELS:
            raise FieldlrError(f"the archive's {name[:80]!r} lies too deep. Pack it flatter.")
        if member.compress_type not in COMPRESSIONS:
            raise FieldlrError("the archive is packed in a rare way. Pack it as an ordinary zip.")
        if member.flag_bits & 1:
            raise FieldlrError("the archive wants a password. Pack it without one.")
        suffix = PurePosixPath(name).suffix.lower()
        if not member.is_dir() and suffix in KNOWN and not set(name.split("/")) & set(LEFT_OUT):
            kept.append((member, name))
    if not kept:
        raise FieldlrError("the archive holds no photo, mesh or volume that fieldlr reads.")
    return kept


def _budget(archive: Path) -> int:
    """Bytes that may come out of an archive."""
    return min(MAX_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * archive.stat().st_size))


def _copy_out(packed: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, budget: int) -> int:
    """Writes a member, counting what really comes out, not what the archive says of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(member) as source, open(place, "wb") as target:
        while block := source.read(CHUNK_BYTES):
            budget -= len(block)
            if budget < 0:
                raise FieldlrError(
                    f"the archive grows to more than {MAX_BYTES >> 30} GiB, or {MAX_RATIO} times "
                    "its size. Send less at a time."
                )
            target.write(block)
    if place.stat().st_size == 0:
        raise FieldlrError(f"the archive's {member.filename} is empty. Pack it again.")
    return budget


def _inside(name: str) -> bool:
    """Whether a relative place stays where it is put."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and ":" not in name


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
