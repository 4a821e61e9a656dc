"""The check before a training: what was brought, whether it is all right, what it will take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fieldlr.app.uploads import photos_in, take
from fieldlr.app.workspace import BroughtSource, Workspace, example_sources
from fieldlr.data import is_source, open_source
from fieldlr.data.images import is_photo, picture_size
from fieldlr.data.video import is_video
from fieldlr.errors import FieldlrError
from fieldlr.runs.check import check, draw
from fieldlr.system.duration import duration
from fieldlr.system.memory import machine_bytes
from fieldlr.training.tasks import task_for
from fieldlr.training.tasks.task import Preset

# Fine enough to look right, and four times as soon as the 512 of the command line.
GRID = 256
# Photos may take so much of the memory once they are read: a fit keeps them twice, and works.
PHOTO_SHARE, BYTES_PER_PIXEL = 0.2, 4


def bring(workspace: Workspace, files: Iterable[Path]) -> BroughtSource:
    """Keeps uploaded files as a source, once they are found to be one."""
    files = [Path(file) for file in files]
    source_id, folder = workspace.new_folder()
    try:
        path = take(files, folder / "data")
        name = path.stem if path.is_file() else _folder_name(files, path, folder)
        return _examined(workspace, source_id, name, path)
    except BaseException:
        workspace.drop(source_id)
        raise


def bring_example(workspace: Workspace, name: str) -> BroughtSource:
    """A bundled scene or mesh as a source; the same one when it is asked for again."""
    for source in workspace.sources():
        if source.name == name and source.path == example_sources().get(name):
            return source
    if name not in example_sources():
        raise FieldlrError(f"this installation has no example {name!r}.")
    return _kept(workspace, name, example_sources()[name])


def bring_posed(workspace: Workspace, name: str, folder: Path, notes: list[str]) -> BroughtSource:
    """The folder that `fieldlr poses` has written, as a source, with what it had to say."""
    kept = _kept(workspace, name, folder)
    return workspace.add(kept.id, kept.name, kept.path, kept.kind, kept.facts | {"posing": notes})


def _kept(workspace: Workspace, name: str, path: Path) -> BroughtSource:
    """A source that lies where it is; nothing of it is left where it turns out to be none."""
    source_id, _ = workspace.new_folder()
    try:
        return _examined(workspace, source_id, name, path)
    except BaseException:
        workspace.drop(source_id)
        raise


def summary(source: BroughtSource) -> str:
    """What was found, for people: Markdown."""
    facts = source.facts
    if source.kind == "unposed":
        what = "a video" if source.path.is_file() else f"{facts['photos']} photos without poses"
        return (
            f"### {unmarked(source.name)}: {what}\n"
            "A field needs to know where each photo was taken from. **Find poses** works that out "
            "from the photos themselves, or from the sharpest frames of a video; it takes some "
            "minutes."
        )
    lines = [f"### {unmarked(source.name)}"]
    if source.kind == "photos":
        lines.append(
            f"{facts['views']} photos with poses ({facts['format']}), "
            f"{facts['smallest_size'][0]} x {facts['smallest_size'][1]} pixels: "
            f"{facts['train']} to train on, {facts['test']} held out to be judged by."
        )
        if facts["missing"]:
            lines.append(f"**{facts['missing']} photos are named and not there.**")
    else:
        size = " x ".join(map(str, facts["grid"]))
        faces = f"{facts['faces']:,} triangles, " if facts.get("faces") else ""
        filled = f"{100 * facts['fraction']:.0f} % of its box is inside"
        lines.append(f"A {source.kind}: {faces}{size} voxels, {filled}.")
    if facts.get("downscale"):
        lines.append(f"They are read at 1 / {facts['downscale']} of their size, to fit in memory.")
    presets = task_for(source.kind).presets
    lines.append(
        f"Training takes {_length(presets['quick'])} at the preset quick and "
        f"{_length(presets['standard'])} at standard, and up to "
        f"{facts['memory_bytes'] / 2**30:.1f} of this machine's {machine_bytes() / 2**30:.0f} GiB."
    )
    lines += [f"- ⚠ {unmarked(warning)}" for warning in facts["warnings"]]
    if not facts["warnings"]:
        lines.append("Nothing to complain of.")
    if facts.get("posing"):
        lines.append("How the poses were found:")
        lines += [f"- {unmarked(note)}" for note in facts["posing"]]
    return "\n\n".join(lines)


def _length(preset: Preset) -> str:
    return f"{preset.steps:,} steps" if preset.seconds is None else duration(preset.seconds)


def _examined(workspace: Workspace, source_id: str, name: str, path: Path) -> BroughtSource:
    """Reads a source, draws it, and notes both."""
    if is_video(path):
        return workspace.add(source_id, name, path, "unposed", {"photos": 0})
    if path.is_dir() and not is_source(path):
        facts: dict[str, Any] = {"photos": len(photos_in(path))}
        return workspace.add(source_id, name, path, "unposed", facts)
    grid = GRID if path.is_file() and path.suffix.lower() not in (".npz", ".npy") else None
    downscale = downscale_for(path)
    source = open_source(path, downscale, grid)
    facts = check(source)
    draw(source, facts, workspace.drawing(source_id))
    facts["downscale"] = downscale
    return workspace.add(source_id, name, path, source.kind, facts)


def downscale_for(path: Path) -> int | None:
    """What the size of photos must be divided by to fit in a part of the memory; None for 1."""
    if path.is_file():
        return None
    sizes = [picture_size(file) for file in path.rglob("*") if is_photo(file)]
    num_bytes = BYTES_PER_PIXEL * sum(width * height for width, height in sizes)
    factor = math.ceil(math.sqrt(num_bytes / (PHOTO_SHARE * machine_bytes())))
    return factor if factor > 1 else None


def unmarked(text: str) -> str:
    """Text as Markdown that shows just that: names and warnings come from strangers."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&])", r"\\\1", " ".join(text.split()))


def _folder_name(files: list[Path], path: Path, folder: Path) -> str:
    if path != folder / "data":
        return path.name
    return files[0].stem if len(files) == 1 else "photos"
