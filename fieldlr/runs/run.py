"""The run folder: it can be moved, zipped and opened without the data it was made from.

A `.flr` file opens in the place of a run (`packed.FlrRun`).

    config.json             what was asked, the field's config, space and frame, the source's hash
    field.safetensors       the trained field
    corrections.safetensors what was learned of the photos beside it, if anything
    checkpoint.safetensors  the whole state of the training, to go on from
    checkpoint-before.safetensors  the one before, while a fit is under way
    cameras.safetensors     the photos' cameras, for runs made from photos
    results.json            what came of it
    history.jsonl           a line a report: step, seconds, loss, quality

Every file is written beside its place and moved into it; tensors carry a checksum; none holds code.
"""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from fieldlr import codec
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.fields import FIELDS
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.geometry.boxes import Aabb, Vector, vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.runs.flr_file import FlrRun
from fieldlr.runs.handle import Handle
from fieldlr.runs.tensors import Tensors, read_tensors, write_tensors
from fieldlr.system.files import is_empty, link, make_folder, new_folder, replacing, sweep
from fieldlr.system.json import read_json, write_json
from fieldlr.training.tasks import Task
from fieldlr.training.tasks.corrections import PhotoCorrections

FORMAT = 1
NEEDED = (
    "kind",
    "source",
    "content_hash",
    "options",
    "reading",
    "field_kind",
    "field",
    "background",
)


@dataclass(frozen=True)
class Run(Handle):
    """An existing run folder."""

    folder: Path
    config: dict[str, Any]
    task: Task | None = dataclasses.field(default=None, repr=False, compare=False)
    temporary: bool = False  # the folder goes with the object

    def __repr__(self) -> str:
        known = [self.kind] if self.temporary else [str(self.folder), self.kind]
        with suppress(FieldlrError, KeyError, TypeError):  # There may be no results yet.
            known.append(self.config["field"]["linear"]["kind"])
            known.append(f"{self._measure} {self.results['fit']['quality']:.4g}")
        return f"Run({', '.join(known)})"

    def save(self, folder: Path | str) -> Run:
        """Copies the run into a folder of its own, new or empty; gives the run that lies there.

        The folder opens without the source: `fieldlr.open_run`, and every command that takes RUN.
        """
        with new_folder(folder) as draft:
            for file in self.folder.iterdir():
                if file.is_file():
                    shutil.copyfile(file, draft / file.name)
            source = None if self.source is None else seen_from(self.source, Path(folder))
            write_json(draft / "config.json", self.config | {"source": source})
        return dataclasses.replace(open_folder(folder), task=self.task)

    @property
    def kind(self) -> Kind:
        """`photos`, `mesh` or `volume`."""
        return self.config["kind"]

    @property
    def source(self) -> Path | None:
        """Where the data was, seen from where the run is now; None where it was never a file."""
        source = self.config["source"]
        return None if source is None else (self.folder / source).resolve()

    @property
    def content_hash(self) -> str:
        """Of the data, in hexadecimal, or its first digits."""
        return self.config["content_hash"]

    @property
    def options(self) -> dict[str, Any]:
        """What the user said about the fit."""
        return self.config["options"]

    @property
    def reading(self) -> dict[str, Any]:
        """How the source was read: arguments of `open_source`."""
        return self.config["reading"]

    @property
    def background(self) -> Vector | None:
        """What is behind photos."""
        background = self.config["background"]
        # As `Reconstruction` writes it.
        return cast(Vector, tuple(background)) if background else None

    def about(self) -> codec.About:
        """What a .flr file of this run keeps beside the field."""
        reading = self.reading["downscale" if self.kind == "photos" else "grid"]
        cameras = codec.subset_cameras(*self.load_cameras()) if self.kind == "photos" else None
        return codec.About(self.kind, self.content_hash, reading, self.background, cameras)

    @property
    def results(self) -> dict[str, Any]:
        """What has been measured so far."""
        path = self.folder / "results.json"
        return read_json(path) if path.exists() else {}

    def add_results(self, results: dict[str, Any]) -> None:
        write_json(self.folder / "results.json", self.results | results)

    def save_checkpoint(self, tensors: Tensors, plain: dict[str, Any]) -> None:
        """Writes the newest checkpoint; the one before is kept until the fit is done."""
        newest, before = self._checkpoints
        if newest.exists():
            with replacing(before) as draft:
                link(newest, draft)
        write_tensors(newest, tensors, plain)

    def load_checkpoint(self) -> tuple[Tensors, dict[str, Any]] | None:
        """The newest intact checkpoint; None if there is none."""
        newest, before = self._checkpoints
        try:
            return read_tensors(newest) if newest.exists() else None
        except FieldlrError:
            if not before.exists():
                raise
            saved = read_tensors(before)
            newest.unlink()  # Lest the next one to be written puts it in the place of a whole one.
            return saved

    def drop_checkpoint_before(self) -> None:
        """For a fit that is done: the newest checkpoint is all that it can go on from."""
        self._checkpoints[1].unlink(missing_ok=True)

    @property
    def _checkpoints(self) -> tuple[Path, Path]:
        names = ("checkpoint", "checkpoint-before")
        newest, before = (self.folder / f"{name}.safetensors" for name in names)
        return newest, before

    def save_field(self, field: Field) -> None:
        tensors = {name: value.detach() for name, value in field.state_dict().items()}
        write_tensors(self.folder / "field.safetensors", tensors, {})

    def save_corrections(self, corrections: PhotoCorrections) -> None:
        write_tensors(self._corrections, corrections.state_dict(), {})

    def load_corrections(self, corrections: PhotoCorrections) -> None:
        """Takes what was learned of the photos, where a fit got so far, into `corrections`."""
        if self._corrections.exists():
            corrections.load_state_dict(read_tensors(self._corrections)[0])

    @property
    def _corrections(self) -> Path:
        return self.folder / "corrections.safetensors"

    def load_field(self) -> Field:
        """The trained field, from the run alone."""
        path = self.folder / "field.safetensors"
        if not path.exists():
            raise FieldlrError(
                f"{self.folder} holds no trained field yet. Finish it: fieldlr fit SOURCE --out "
                f"{self.folder} --resume."
            )
        field = empty_field(self.config)
        tensors, _ = read_tensors(path)
        try:
            field.load_state_dict(tensors)
        except RuntimeError as error:
            raise FieldlrError(
                f"{path} does not fit the config beside it ({str(error).splitlines()[0]}). Copy "
                "the whole run folder again."
            ) from None
        return field.eval()

    def fresh_field(self) -> Field:
        """The field as it was before its first step."""
        seed = self.config["options"]["seed"]
        return empty_field(self.config, torch.Generator().manual_seed(seed)).eval()

    def save_cameras(self, cameras: Cameras, test: tuple[int, ...]) -> None:
        names = [f.name for f in dataclasses.fields(cameras) if f.name != "model"]
        tensors = {name: getattr(cameras, name) for name in names}
        plain = {"model": cameras.model, "test": test}
        write_tensors(self.folder / "cameras.safetensors", tensors, plain)

    def load_cameras(self) -> tuple[Cameras, tuple[int, ...]]:
        """(cameras in the internal frame, indices of the held-out views)."""
        tensors, plain = read_tensors(self.folder / "cameras.safetensors")
        return Cameras(**tensors, model=plain["model"]), tuple(plain["test"])


def seen_from(source: Path | str, folder: Path | str) -> str:
    """The path of a source relative to the folder of a run."""
    return os.path.relpath(Path(source).resolve(), Path(folder).resolve())


def check_new(folder: Path) -> None:
    """FieldlrError where a new run cannot have this folder."""
    sweep(folder)  # A fit that was killed before it had anything to keep is in nobody's way.
    if (folder / "config.json").exists():
        raise FieldlrError(
            f"{folder} already holds a run. Give `resume` to resume it, or another `out`."
        )
    if folder.exists() and not (folder.is_dir() and is_empty(folder)):
        raise FieldlrError(
            f"a run needs a folder of its own; {folder} exists and is not empty. Give another "
            "`out`."
        )


def create_run(folder: Path, config: dict[str, Any]) -> Run:
    """A new run folder; FieldlrError where one is already."""
    check_new(folder)
    make_folder(folder)
    write_json(folder / "config.json", {"format": FORMAT, **config})
    return open_folder(folder)


def open_run(folder: Path | str) -> Run | FlrRun:
    """The run in a folder or a .flr file; FieldlrError where this version can read none there."""
    if Path(folder).is_file() and Path(folder).suffix.lower() in (".flr", ""):
        return FlrRun(Path(folder))
    return open_folder(folder)


def open_folder(folder: Path | str) -> Run:
    """The run in a folder alone."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        file = Path(f"{folder}.flr")
        way_out = f"There is {file}." if file.is_file() else "Check the path."
        raise FieldlrError(
            f"a run is a .flr file or a folder that holds a config.json; {folder} is neither. "
            f"{way_out}"
        )
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise FieldlrError(
            f"{path} is not a run of format {FORMAT}. It is corrupt, or was written by a newer "
            "fieldlr."
        )
    missing = [key for key in NEEDED if key not in config]
    if missing:
        raise FieldlrError(f"{path} lacks {', '.join(missing)}. Copy the whole run folder again.")
    return Run(Path(folder), config)


def empty_field(config: dict[str, Any], generator: torch.Generator | None = None) -> Field:
    """A field of the shape that a run's config tells of, not yet trained."""
    try:
        space = dict(config["space"])
        space["aabb"] = Aabb(*(vector(space["aabb"][k]) for k in ("minimum", "maximum")))
        space["ndc_focal"] = tuple(space["ndc_focal"])
        space["far"] = math.inf if space["far"] is None else space["far"]
        frame = config["frame"]
        x, y, z = map(vector, frame["rotation"])
        similarity = Similarity((x, y, z), frame["scale"], vector(frame["translation"]))
        kind = FIELDS[config["field_kind"]]
        shape = FieldConfig.from_json(config["field"])
        field = kind(shape, Space(**space), similarity, generator)
        field.inside(torch.zeros(1, 3))  # Whatever is misstated shows here.
        return field
    except (FieldlrError, MemoryError):
        raise
    except Exception as error:
        raise FieldlrError(
            f"the run's config.json lacks or misstates something ({type(error).__name__}: "
            f"{str(error)[:100]}). Copy the whole run folder again."
        ) from None
