"""Photos without poses: which files of a folder they are, and which two are surely matched."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from fieldlr.data.images import IMAGE_SUFFIXES, is_photo
from fieldlr.data.scene import FEWEST_VIEWS
from fieldlr.data.unread import PHONE_ADVICE, is_phone_photo
from fieldlr.errors import FieldlrError

# Up to here every photo is matched with every other; beyond, with its neighbours by name and with
# those that look alike (`structure_retrieval`).
EXHAUSTIVE_PHOTOS, NEIGHBOURS = 150, 10


def photo_files(folder: Path) -> list[Path]:
    """The pictures in a folder, in the order in which a person counts: 2 before 10."""
    if not folder.is_dir():
        raise FieldlrError(f"photos without poses come as a folder of pictures; {folder} is none.")
    files = [file for file in folder.iterdir() if is_photo(file)]
    if len(files) < FEWEST_VIEWS:
        below = sorted({file.parent.name for file in folder.glob("*/*") if is_photo(file)})
        hint = f" There are pictures in {', '.join(below[:3])}: name that folder." if below else ""
        if any(is_phone_photo(file.name) for file in folder.iterdir()):
            hint = f" {PHONE_ADVICE[0].upper()}{PHONE_ADVICE[1:]}"
        raise FieldlrError(
            f"poses need at least {FEWEST_VIEWS} photos ({' '.join(IMAGE_SUFFIXES)}); {folder} "
            f"contains {len(files)}.{hint or ' Save other formats as .jpg.'}"
        )
    return sorted(files, key=lambda file: (_counting(file.name), file.name))


def distinct_photos(files: list[Path]) -> tuple[list[Path], dict[str, str]]:
    """(files of different content, name of every copy -> name of the file that it copies).

    A copy has the pose of its original, and would be held out to be judged by what was trained on.
    FieldlrError where too few differ.
    """
    sizes = [file.stat().st_size for file in files]
    originals: dict[str, Path] = {}
    copies: dict[str, str] = {}
    for file, size in zip(files, sizes, strict=True):
        # Files of a size that no other has are not read.
        alone = sizes.count(size) == 1
        key = str(file) if alone else hashlib.sha256(file.read_bytes()).hexdigest()
        if originals.setdefault(key, file) is not file:
            copies[file.name] = originals[key].name
    if len(originals) < FEWEST_VIEWS:
        raise FieldlrError(
            f"poses need at least {FEWEST_VIEWS} different photos; of these {len(files)} only "
            f"{len(originals)} differ: {next(iter(copies))} has the content of "
            f"{next(iter(copies.values()))}. Add photos from other places."
        )
    return list(originals.values()), copies


def is_exhaustive(count: int) -> bool:
    """Whether so few photos are matched each with every other."""
    return count <= EXHAUSTIVE_PHOTOS


def photo_pairs(count: int) -> list[tuple[int, int]]:
    """Which of `count` photos in a row to match: all pairs, or of many photos the likely ones.

    Those are neighbours up to NEIGHBOURS apart and photos that are a power of two apart. The row
    counts as a ring: who walks around something ends where he began.
    """
    if is_exhaustive(count):
        return [(first, second) for first in range(count) for second in range(first + 1, count)]
    powers = [1 << k for k in range(count.bit_length()) if NEIGHBOURS < 1 << k < count]
    steps = [*range(1, NEIGHBOURS + 1), *powers]
    ends = ((first, (first + step) % count) for first in range(count) for step in steps)
    return sorted({(min(pair), max(pair)) for pair in ends})


def _counting(name: str) -> list[tuple[int, str]]:
    """A key that sorts the numbers in names as numbers."""
    parts = re.findall(r"(\d+)|(\D+)", name.casefold())
    return [(int(digits) if digits else -1, letters) for digits, letters in parts]
