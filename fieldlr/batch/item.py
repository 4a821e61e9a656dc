"""An item of a batch: its request, and the record of what is done."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.runs.options import FileOptions
from fieldlr.system.json import read_json, write_json
from fieldlr.system.options import leaves
from fieldlr.training.options import FitOptions, MachineOptions

# The options that each output depends on, beside those of the fit.
DEPENDS: dict[str, tuple[str, ...]] = {
    "eval": ("resolution",),
    "mesh": ("resolution",),
    "render": ("size", "background"),
    "video": ("size", "background", "frames", "fps"),
    "compress": tuple(leaves(FileOptions)),
    "study": ("backbones", "ranks", "seeds", "narrow", "classic", "bits", "finetune"),
    "thumbnail": (),
}


@dataclass(frozen=True)
class Item:
    """A source, options and outputs, in plain values."""

    name: str
    source: str  # an absolute path
    options: dict[str, Any]  # of `FitOptions`, those given
    outputs: tuple[str, ...] = ("eval",)
    making: dict[str, Any] = dataclasses.field(default_factory=dict)  # options of outputs

    @property
    def fit_options(self) -> FitOptions:
        return FitOptions.from_plain(self.options)

    @property
    def file_options(self) -> FileOptions:
        """How `compress` writes the file."""
        known = leaves(FileOptions)
        return FileOptions.of(**{k: v for k, v in self.making.items() if k in known})

    @property
    def fits(self) -> bool:
        """Whether a fit is needed: not for a study alone."""
        return set(self.outputs) != {"study"}

    @property
    def fit_asked(self) -> str:
        """A fingerprint of the options of the fit."""
        where = leaves(MachineOptions)
        return _digest({name: v for name, v in self.options.items() if name not in where})

    def asked(self) -> dict[str, str]:
        """A fingerprint of the options of each step: the fit, then every output."""
        steps = {"fit": self.fit_asked} if self.fits else {}
        for output in (*self.outputs, *(("thumbnail",) if self.fits else ())):
            own = {name: self.making.get(name) for name in DEPENDS[output]}
            steps[output] = _digest({"fit": self.fit_asked, "making": own})
        return steps


@dataclass
class Record:
    """item.json in the item's folder: the steps done, with which options, of which source.

    Only the process that runs the item writes it.
    """

    begun: str = ""  # the fingerprint of the options of the run in the folder
    source: str = ""  # a fingerprint of the source's files
    done: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)  # by step
    seconds: float = 0.0  # of all attempts

    @staticmethod
    def read(folder: Path) -> Record:
        """The record of a folder; empty if missing or invalid."""
        path = folder / "item.json"
        try:
            return Record(**read_json(path)) if path.exists() else Record()
        except (FieldlrError, TypeError):
            return Record()

    def write(self, folder: Path) -> None:
        write_json(folder / "item.json", dataclasses.asdict(self))

    def has(self, folder: Path, step: str, asked: str) -> bool:
        """Whether a step is done with the current options and its files exist."""
        known = self.done.get(step)
        if known is None or known["asked"] != asked:
            return False
        return all(_size(folder / name) == size for name, size in known["files"].items())

    def add(
        self, folder: Path, step: str, asked: str, files: tuple[str, ...], figures: dict[str, Any]
    ) -> None:
        """Records that a step is done, with its existing files."""
        sizes = {name: size for name in files if (size := _size(folder / name)) is not None}
        self.done[step] = {"asked": asked, "files": sizes, "figures": figures}
        self.write(folder)

    def result(self) -> dict[str, Any]:
        """The result of a finished item for the report."""
        figures = {step: known["figures"] for step, known in self.done.items()}
        fit = figures.get("fit", {})
        # An evaluation is of all voxels or held-out views, that of a fit perhaps of a part.
        quality = figures.get("eval", {}).get(fit.get("measure"), fit.get("quality"))
        return {
            "seconds": round(self.seconds, 3),
            "quality": quality,
            "num_parameters": fit.get("num_parameters"),
            "num_bytes": figures.get("compress", {}).get("num_bytes"),
            "files": [name for known in self.done.values() for name in known["files"]],
            "figures": figures,
        }


def is_done(item: Item, folder: Path) -> bool:
    """Whether an earlier run of the batch has completed the item."""
    record = Record.read(folder)
    if record.source != fingerprint(Path(item.source)):
        return False
    return all(record.has(folder, step, asked) for step, asked in item.asked().items())


def fingerprint(source: Path) -> str:
    """A hash of names, sizes and times of a source's files."""
    if not source.exists():
        return ""
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    states = [(str(path.relative_to(source)), path.stat()) for path in files if path.is_file()]
    return _digest([(name, state.st_size, state.st_mtime_ns) for name, state in states])


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
