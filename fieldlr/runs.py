"""The run folder: it can be moved, zipped and opened without the data it was made from.

A `.flr` file opens in the place of a run (`packed.PackedRun`).

    config.json             what was asked, the field's config, space and frame, the source's hash
    field.safetensors       the trained field
    checkpoint.safetensors  the whole state of the training, to go on from
    cameras.safetensors     the photos' cameras, for runs made from photos
    results.json            what came of it
    history.jsonl           a line a report: step, seconds, loss, quality

Every file is written beside its place and moved into it; none holds code.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fieldlr import codec
from fieldlr.cameras import Cameras
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.field import Field
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import RadianceField
from fieldlr.files import replacing
from fieldlr.geometry import Aabb, Similarity, Space, Vector
from fieldlr.packed import PackedRun

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
FIELDS = {"occupancy": OccupancyField, "radiance": RadianceField}


@dataclass(frozen=True)
class Run:
    """A run folder that exists."""

    folder: Path
    config: dict[str, Any]

    @property
    def kind(self) -> str:
        """`photos`, `mesh` or `volume`."""
        return self.config["kind"]

    @property
    def source(self) -> Path:
        """Where the data was, seen from where the run is now."""
        return (self.folder / self.config["source"]).resolve()

    @property
    def content_hash(self) -> str:
        """Of the data, in hexadecimal, or its first digits."""
        return self.config["content_hash"]

    @property
    def options(self) -> dict[str, Any]:
        """What the user said about the fit."""
        return self.config["options"]

    @property
    def reading(self) -> dict[str, int | None]:
        """How the source was read: arguments of `open_source`."""
        return self.config["reading"]

    @property
    def background(self) -> Vector | None:
        """What is behind photos."""
        return self.config["background"] and tuple(self.config["background"])

    def about(self) -> codec.About:
        """What a .flr file of this run keeps beside the field."""
        reading = self.reading["downscale" if self.kind == "photos" else "grid"]
        cameras = codec.few(*self.load_cameras()) if self.kind == "photos" else None
        return codec.About(self.kind, self.content_hash, reading, self.background, cameras)

    @property
    def results(self) -> dict[str, Any]:
        """What has been measured so far."""
        path = self.folder / "results.json"
        return read_json(path) if path.exists() else {}

    def add_results(self, results: dict[str, Any]) -> None:
        write_json(self.folder / "results.json", self.results | results)

    def save_checkpoint(self, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
        write_tensors(self.folder / "checkpoint.safetensors", tensors, plain)

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        path = self.folder / "checkpoint.safetensors"
        return read_tensors(path) if path.exists() else None

    def save_field(self, field: Field) -> None:
        tensors = {name: value.detach() for name, value in field.state_dict().items()}
        write_tensors(self.folder / "field.safetensors", tensors, {})

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


def check_new(folder: Path) -> None:
    """FieldlrError where a new run cannot have this folder."""
    if (folder / "config.json").exists():
        raise FieldlrError(
            f"{folder} already holds a run. Give --resume to go on with it, or another --out."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FieldlrError(
            f"a run wants a folder of its own; {folder} is there and not empty. Give another --out."
        )


def make_folder(folder: Path) -> None:
    """A folder that exists; FieldlrError where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FieldlrError(
            f"the folder {folder} cannot be made ({error.strerror}). Give another --out."
        ) from None


def create_run(folder: Path, config: dict[str, Any]) -> Run:
    """A new run folder; FieldlrError where one is already."""
    check_new(folder)
    make_folder(folder)
    write_json(folder / "config.json", {"format": FORMAT, **config})
    return open_run(folder)


def open_run(folder: Path) -> Run | PackedRun:
    """The run in a folder or a .flr file; FieldlrError where this version can read none there."""
    path = Path(folder) / "config.json"
    if Path(folder).is_file() and Path(folder).suffix.lower() == ".flr":
        return PackedRun(Path(folder))
    if not path.is_file():
        raise FieldlrError(
            f"a run is a .flr file or a folder that holds a config.json; {folder} is neither. "
            "Check the path."
        )
    config = read_json(path)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise FieldlrError(
            f"{path} is not a run of format {FORMAT}. It is broken, or a newer fieldlr made it."
        )
    missing = [key for key in NEEDED if key not in config]
    if missing:
        raise FieldlrError(f"{path} lacks {', '.join(missing)}. Copy the whole run folder again.")
    return Run(Path(folder), config)


def empty_field(config: dict[str, Any], generator: torch.Generator | None = None) -> Field:
    """A field of the shape that a run's config tells of, not yet trained."""
    try:
        space = dict(config["space"])
        space["aabb"] = Aabb(*(tuple(space["aabb"][k]) for k in ("minimum", "maximum")))
        space["ndc_focal"] = tuple(space["ndc_focal"])
        space["far"] = math.inf if space["far"] is None else space["far"]
        frame = config["frame"]
        rotation = tuple(tuple(row) for row in frame["rotation"])
        similarity = Similarity(rotation, frame["scale"], tuple(frame["translation"]))
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


def write_json(path: Path, value: Any) -> None:
    """Writes plain values so that the file is always the old or the new one."""
    write_whole(path, json.dumps(without_nan(value), indent=1).encode())


def without_nan(value: Any) -> Any:
    """Plain values with None for what is not a finite number: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_tensors(path: Path, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Writes tensors and plain values as one safetensors file."""
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_whole(path, save(tensors, {"fieldlr": json.dumps(plain)}))


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside the place, to the disk, then moves into it."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise FieldlrError(
            f"{path} cannot be read as JSON ({error}). Restore or remove it."
        ) from None


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, plain values) of a file that `write_tensors` wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            plain = json.loads((file.metadata() or {}).get("fieldlr", "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise FieldlrError(f"{path} is broken or missing ({error}). Copy the run again.") from None
    return tensors, plain
