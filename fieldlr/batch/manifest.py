"""Reading and validation of a manifest: all errors with their lines, before anything starts.

    defaults: {backbone: sine-low-rank, seconds: 60, outputs: [eval, mesh, compress]}
    items:
      - {source: meshes/*.ply, rank: 2}
      - {source: photos/garden, name: garden-full, backbone: full, preset: standard}

Paths are relative to the manifest's folder. `defaults` apply to the items that support them; a key
of an item must be supported by it.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.batch.item import Item
from fieldlr.batch.keys import MAKING, keys
from fieldlr.batch.nodes import (
    Mistakes,
    line_of,
    mapping_of,
    plain_of,
    read_nodes,
    sequence_of,
    shown,
)
from fieldlr.batch.outputs import OUTPUTS
from fieldlr.data import Reader, asked_of, is_source, reader_of
from fieldlr.data.options import ReadingOptions
from fieldlr.errors import FieldlrError
from fieldlr.system.options import Option, leaves
from fieldlr.training.options import FitOptions, foreign_options
from fieldlr.training.presets import count_parameters, fit_config

MOST_MATCHES = 10_000
LONGEST_NAME = 100
FORBIDDEN = '/\\:*?"<>|'  # in folder names, on some operating system
TAKEN = ("report.json", "report.html")


@dataclass(frozen=True)
class Manifest:
    """The items of a manifest, and notes for its author."""

    items: tuple[Item, ...]
    notes: tuple[str, ...]


def read_manifest(path: Path) -> Manifest:
    """The items of a manifest; raises a FieldlrError that lists all errors."""
    mistakes, notes = Mistakes(path), []
    root, known = mapping_of(read_nodes(path), ("defaults", "items"), mistakes), keys()
    defaults: dict[str, Any] = {}
    if "defaults" in root:
        common = {name: key for name, key in known.items() if name not in ("source", "name")}
        defaults = _values(root["defaults"], common, mistakes)
    found: list[tuple[int, Item]] = []
    for node in sequence_of(root["items"], mistakes) if "items" in root else ():
        own, line = _values(node, known, mistakes), line_of(node)
        for source in _sources(own, path.parent, line, mistakes, notes):
            with mistakes.noted(line):
                found.append((line, _item(source, defaults, own)))
    _check_names(found, mistakes)
    mistakes.raise_any()
    for name in {output for _, item in found for output in item.outputs}:
        OUTPUTS[name].check()
    if not found:
        raise FieldlrError(f"{path} has no `items`. Add a list of items.")
    return Manifest(tuple(item for _, item in found), tuple(notes))


def _values(node: Any, known: Mapping[str, Option], mistakes: Mistakes) -> dict[str, Any]:
    """The validated values of a mapping."""
    values = {}
    for name, own in mapping_of(node, known, mistakes).items():
        with mistakes.noted(line_of(own)):
            value = plain_of(own)
            if value == [] and name == "outputs":  # Fit only.
                values[name] = ()
                continue
            try:
                values[name] = known[name].kind.read(value)
            except (ValueError, TypeError):
                wants = known[name].kind.wants
                raise FieldlrError(f"`{name}` is {wants}; got {shown(own)}.") from None
    return values


def _sources(
    own: dict[str, Any], folder: Path, line: int, mistakes: Mistakes, notes: list[str]
) -> list[Path]:
    """The paths matched by an item's `source`."""
    if "source" not in own:
        mistakes.add(line, "an item needs a `source`.")
        return []
    text = own["source"]
    path = (folder / text).resolve()
    if path.exists() or not glob.has_magic(text):
        if not is_source(path):
            mistakes.add(line, f"{path} {_why_not(path)}")
        return [path] if is_source(path) else []
    matches = sorted(glob.glob(text, root_dir=folder, recursive=True))[: MOST_MATCHES + 1]
    paths = [(folder / match).resolve() for match in matches]
    sources = [path for path in paths if is_source(path)]
    if not sources:
        mistakes.add(line, f"the pattern {text} matches no source in {folder.resolve()}.")
    if len(matches) > MOST_MATCHES:
        mistakes.add(line, f"the pattern {text} matches more than {MOST_MATCHES:,} paths.")
        return []
    if left_out := len(paths) - len(sources):
        notes.append(f"line {line}: {left_out} of {len(paths)} matches of {text} are not sources.")
    return sources


def _why_not(path: Path) -> str:
    if path.suffix.lower() == ".zip" and path.exists():
        return "is an archive. Unpack it and name its folder."
    if path.exists():
        return "is not a valid source. Run `fieldlr check` on it for the reason."
    return "does not exist. Paths are relative to the manifest's folder."


def _item(source: Path, defaults: dict[str, Any], own: dict[str, Any]) -> Item:
    reader = reader_of(source)
    assert reader is not None  # as `_sources` ensures
    unfit = _inapplicable(reader, {**defaults, **own})
    values = {k: v for k, v in defaults.items() if k not in unfit} | own
    fit = FitOptions.of(**{name: values[name] for name in leaves(FitOptions) if name in values})
    asked_of(reader, fit.reading)
    item = Item(
        name=values.get("name", "{stem}").replace("{stem}", _stem(source)),
        source=str(source),
        options={name: value for name, value in fit.plain().items() if value is not None},
        outputs=tuple(name for name in OUTPUTS if name in values.get("outputs", ("eval",))),
        making={name: values[name] for name in MAKING if name in values},
    )
    if "compress" in item.outputs:
        _ = item.file_options.compressor  # Raises for a method without a size.
    if item.fits:
        fit_config(fit, reader.kind)
        count_parameters(fit, reader.kind)  # Raises for an invalid network, before any work.
    return item


def _inapplicable(reader: Reader, values: dict[str, Any]) -> set[str]:
    """Keys of the defaults that do not apply to an item."""
    foreign = foreign_options(values.get("backbone", "full"))
    return foreign | {name for name in leaves(ReadingOptions) if name not in reader.takes}


def _stem(source: Path) -> str:
    return source.name if source.is_dir() else source.stem


def _check_names(found: list[tuple[int, Item]], mistakes: Mistakes) -> None:
    """Checks that names are valid folder names and unique, even case-insensitively."""
    lines: dict[str, int] = {}
    for line, item in found:
        name, folded = item.name, item.name.casefold()
        good = name == name.strip(" .") and name.isprintable() and len(name) <= LONGEST_NAME
        if not (name and good) or set(name) & set(FORBIDDEN) or folded in TAKEN:
            text = f"{name!r} is not a valid folder name. Give the item another `name`."
            mistakes.add(line, text)
        elif folded in lines:
            mistakes.add(
                line,
                f"{name!r} is also the name of the item in line {lines[folded]}. Give one a "
                "`name`, in which {stem} is the name of the source.",
            )
        lines.setdefault(folded, line)
