"""From the names of photos in a pose file to the files that are there.

Names come from other machines: with backslashes, other capitals, another form of an accent, %20
for a space, another suffix, other folders before them. A name is taken as it stands; where no file
has it, the one file that differs in such a way alone is taken, and that is said.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from fieldlr.data.images import IMAGE_SUFFIXES, is_photo
from fieldlr.data.scene import path_inside
from fieldlr.errors import FieldlrError

# Folders and files of pictures that are not the photos, though they have their names.
_BESIDE = re.compile(
    r"(masks?|depths?|normals?|semantics?|segmentations?)(_\d+)?/|dynamic_mask_|\.alpha\.|_mask\."
)
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class FoundPhotos:
    """The file of each name, None where there is none; what to say of them."""

    paths: list[Path | None]
    warnings: list[str]
    hint: str  # what was looked for and what is there, where a file is missing

    @property
    def count(self) -> int:
        return sum(path is not None for path in self.paths)


def find_photos(
    folder: Path, names: Sequence[str], where: str, endings: tuple[str, ...] = ("",)
) -> FoundPhotos:
    """The files of photos called `names` under a folder; FieldlrError where a name leads out of it.

    `endings` may stand behind a name without being worth a word.
    """
    paths = [literal(folder, name, where, endings) for name in names]
    missing = [index for index, path in enumerate(paths) if path is None]
    if not missing:
        return FoundPhotos(paths, [], "")
    others = _others(folder, {path for path in paths if path is not None})
    taken = _near(others, {index: _tidy(names[index]) for index in missing})
    for index in missing:
        if index in taken:
            paths[index] = folder / taken[index]
        else:
            path_inside(folder, names[index], where)  # An invalid name is an error of its own.
    return FoundPhotos(paths, _notes(names, taken), _hint(folder, names, paths, others))


def images_folder(scene: Path, images: str) -> Path:
    """The folder of photos a user names: relative to the scene or to the working directory."""
    places = (scene / images, Path(images).expanduser())
    for place in places:
        if place.is_dir():
            return place
    raise FieldlrError(
        f"`images` is the folder that holds the photos; neither {places[0]} nor "
        f"{places[1].absolute()} is one. Check the path."
    )


def folder_from(source: Path, images: str) -> str:
    """The folder `images` as a path that leads there from a source, wherever one is."""
    scene = source if source.is_dir() else source.parent
    return Path(os.path.relpath(images_folder(scene, images).resolve(), scene.resolve())).as_posix()


def literal(folder: Path, name: str, where: str, endings: tuple[str, ...] = ("",)) -> Path | None:
    """The file of this very name under a folder; an absolute path may lead there too."""
    name = name.replace("\\", "/")
    if "\0" not in name and PurePosixPath(name).is_absolute():
        inside = Path(name).is_relative_to(folder.resolve())
        name = str(Path(name).relative_to(folder.resolve())) if inside else name
    try:
        place = path_inside(folder, name, where)
    except FieldlrError:
        return None
    candidates = (place.with_name(place.name + ending) for ending in endings)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _others(folder: Path, taken: set[Path]) -> list[str]:
    """Photos under a folder that no name has taken, as relative paths."""
    if not folder.is_dir():
        return []
    files = (file for file in sorted(folder.rglob("*")) if file not in taken and is_photo(file))
    relative = (file.relative_to(folder).as_posix() for file in files)
    return [name for name in relative if not _BESIDE.search(name.casefold())]


def _near(others: list[str], wanted: dict[int, str]) -> dict[int, str]:
    """index -> the one file that nearly has its name, by the closest likeness that decides."""
    taken: dict[int, str] = {}
    likenesses: tuple[Callable[[str], str], ...] = (
        _tidy,
        lambda name: _stem(_tidy(name)),
        lambda name: PurePosixPath(_tidy(name)).name,
        lambda name: _stem(PurePosixPath(_tidy(name)).name),
    )
    for likeness in likenesses:
        by_key, used = defaultdict(list), set(taken.values())
        for other in others:
            if other not in used:
                by_key[likeness(other)].append(other)
        found = {}
        for index, name in wanted.items():
            if index not in taken:
                one = _only(name, by_key.get(likeness(name), []))
                found |= {} if one is None else {index: one}
        claims = Counter(found.values())
        taken |= {index: other for index, other in found.items() if claims[other] == 1}
    return taken


def _only(name: str, candidates: list[str]) -> str | None:
    """The candidate that shares the most folders with a name, if it is one alone."""
    shared = [_shared_parents(name, _tidy(other)) for other in candidates]
    best = [other for other, n in zip(candidates, shared, strict=True) if n == max(shared)]
    return best[0] if len(best) == 1 else None


def _shared_parents(one: str, other: str) -> int:
    pairs = zip(reversed(one.split("/")[:-1]), reversed(other.split("/")[:-1]), strict=False)
    count = 0
    for a, b in pairs:
        if a != b:
            break
        count += 1
    return count


def _tidy(name: str) -> str:
    """A name without what systems and tools write differently."""
    name = _DRIVE.sub("", unquote(name).replace("\\", "/"))
    return unicodedata.normalize("NFC", name).casefold().lstrip("./")


def _stem(name: str) -> str:
    while name.endswith(IMAGE_SUFFIXES):
        name = name[: name.rindex(".")]
    return name


def _notes(names: Sequence[str], taken: dict[int, str]) -> list[str]:
    if not taken:
        return []
    index = next(iter(taken))
    example = f"{taken[index]} for {names[index][:80]}"
    return [f"{len(taken)} photos are taken under a name that differs a little: {example}."]


def _hint(
    folder: Path, names: Sequence[str], paths: Iterable[Path | None], others: list[str]
) -> str:
    """What was looked for and what is there that resembles it."""
    missing = next((n for n, path in zip(names, paths, strict=True) if path is None), None)
    if missing is None:
        return ""
    near = difflib.get_close_matches(_tidy(missing), others[:2000], 3, 0.6)
    there = f"; there is {', '.join(near)}" if near else ""
    if not near and others:
        there = f"; it holds {len(others)} other photos, such as {others[0]}"
    return f" {missing[:80]} was looked for in {folder}{there}."
