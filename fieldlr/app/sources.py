"""Adding a source: storing its files, checking them, and describing what was found."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fieldlr.app.uploads import store_uploads
from fieldlr.app.workspace import StoredSource, Workspace, example_paths
from fieldlr.data import cloud, is_source, mesh, open_source
from fieldlr.data.archives import photos_in
from fieldlr.data.images import is_photo, picture_size
from fieldlr.data.video import is_video
from fieldlr.errors import FieldlrError
from fieldlr.runs.check import check, draw
from fieldlr.system.duration import duration
from fieldlr.system.memory import machine_bytes
from fieldlr.training.tasks import task_for
from fieldlr.training.tasks.task import Preset

# Looks right, and trains and is measured sooner than at the command line's 512.
GRID = 256
# The share of the memory that decoded photos may take: training keeps two copies of them.
PHOTO_SHARE, BYTES_PER_PIXEL = 0.2, 4


def add(workspace: Workspace, files: Iterable[Path]) -> StoredSource:
    """Stores uploaded files as a source; FieldlrError where they are not one."""
    files = [Path(file) for file in files]
    source_id, folder = workspace.new_source_folder()
    try:
        path = store_uploads(files, folder / "data")
        name = path.stem if path.is_file() else _folder_name(files, path, folder)
        return _inspected(workspace, source_id, name, path)
    except BaseException:
        workspace.remove_source(source_id)
        raise


def add_example(workspace: Workspace, name: str) -> StoredSource:
    """A bundled example as a source; the same source when it is added again."""
    for source in workspace.sources():
        if source.name == name and source.path == example_paths().get(name):
            return source
    if name not in example_paths():
        raise FieldlrError(f"there is no example {name!r}. Choose one of those on the Start tab.")
    return _added_in_place(workspace, name, example_paths()[name])


def add_posed(workspace: Workspace, name: str, folder: Path, notes: list[str]) -> StoredSource:
    """The folder written by `fieldlr poses` as a source, with notes on how poses were found."""
    kept = _added_in_place(workspace, name, folder)
    return workspace.add(kept.id, kept.name, kept.path, kept.kind, kept.facts | {"posing": notes})


def _added_in_place(workspace: Workspace, name: str, path: Path) -> StoredSource:
    """Adds a source whose files stay where they are."""
    source_id, _ = workspace.new_source_folder()
    try:
        return _inspected(workspace, source_id, name, path)
    except BaseException:
        workspace.remove_source(source_id)
        raise


def summary(source: StoredSource) -> str:
    """The facts found in a source, as Markdown."""
    facts = source.facts
    if source.kind == "unposed":
        what = "a video" if source.path.is_file() else f"{facts['photos']} photos without poses"
        return (
            f"### {escape_markdown(source.name)}: {what}\n"
            "Training needs the camera pose of each photo: where it was taken and in which "
            "direction. **Find poses** computes the poses from the photos, or from the sharpest "
            "frames of a video. It takes a few minutes."
        )
    lines = [f"### {escape_markdown(source.name)}"]
    if source.kind == "photos":
        lines.append(
            f"{facts['views']} photos with poses ({facts['format']}), "
            f"{facts['smallest_size'][0]} x {facts['smallest_size'][1]} pixels: "
            f"{facts['train']} to train on, {facts['test']} kept aside to test the result."
        )
        if facts["missing"]:
            lines.append(f"**{facts['missing']} listed photos are missing and skipped.**")
    else:
        size = " x ".join(map(str, facts["grid"]))
        faces = f"{facts['faces']:,} triangles, " if facts.get("faces") else ""
        filled = f"{100 * facts['fraction']:.0f} % of its box is solid"
        lines.append(f"A {source.kind}: {faces}sampled at {size}; {filled}.")
    if facts.get("downscale"):
        lines.append(f"Shrunk to 1/{facts['downscale']} of their size to fit in memory.")
    presets = task_for(source.kind).presets
    lines.append(
        f"Training: quick about {_length(presets['quick'])}, standard about "
        f"{_length(presets['standard'])}, plus setup and measuring. "
        f"Memory: {facts['memory_bytes'] / 2**30:.1f} of {machine_bytes() / 2**30:.0f} GiB."
    )
    lines += [f"- ⚠ {escape_markdown(warning)}" for warning in facts["warnings"]]
    if not facts["warnings"]:
        lines.append("No problems found.")
    if facts.get("posing"):
        lines.append("How the poses were found:")
        lines += [f"- {escape_markdown(note)}" for note in facts["posing"]]
    return "\n\n".join(lines)


def _length(preset: Preset) -> str:
    return f"{preset.steps:,} steps" if preset.seconds is None else duration(preset.seconds)


def _inspected(workspace: Workspace, source_id: str, name: str, path: Path) -> StoredSource:
    """Reads and checks a source, draws it, and writes its description."""
    if is_video(path):
        return workspace.add(source_id, name, path, "unposed", {"photos": 0})
    if path.is_dir() and not is_source(path):
        facts: dict[str, Any] = {"photos": len(photos_in(path))}
        return workspace.add(source_id, name, path, "unposed", facts)
    grid = GRID if mesh.can_read(path) and not cloud.can_read(path) else None
    downscale = downscale_for(path)
    source = open_source(path, downscale, grid)
    facts = check(source)
    draw(source, facts, workspace.drawing(source_id))
    facts["downscale"] = downscale
    return workspace.add(source_id, name, path, source.kind, facts)


def downscale_for(path: Path) -> int | None:
    """The factor by which photos must be shrunk to fit in memory; None where they fit."""
    if path.is_file():
        return None
    sizes = [picture_size(file) for file in path.rglob("*") if is_photo(file)]
    num_bytes = BYTES_PER_PIXEL * sum(width * height for width, height in sizes)
    factor = math.ceil(math.sqrt(num_bytes / (PHOTO_SHARE * machine_bytes())))
    return factor if factor > 1 else None


def escape_markdown(text: str) -> str:
    """Markdown that shows a text literally: names and warnings come from uploaded files."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&])", r"\\\1", " ".join(text.split()))


def _folder_name(files: list[Path], path: Path, folder: Path) -> str:
    if path != folder / "data":
        return path.name
    return files[0].stem if len(files) == 1 else "photos"
