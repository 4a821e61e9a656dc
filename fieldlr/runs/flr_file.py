"""A .flr file used as a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fieldlr import codec
from fieldlr.data import Kind
from fieldlr.errors import FieldlrError
from fieldlr.fields.field import Field
from fieldlr.geometry.boxes import Vector
from fieldlr.geometry.cameras import Cameras
from fieldlr.runs.handle import Handle
from fieldlr.runs.shown import flr_path
from fieldlr.system.json import write_whole


class FlrRun(Handle):
    """A .flr file used as a run: what is known of the field and of its source."""

    source: Path | None = None
    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, path: Path):
        self.folder = path
        try:
            with open(path, "rb") as file:
                self._field, self._about = codec.unpack(file.read(codec.MOST_BYTES + 1))
        except (OSError, FieldlrError) as error:
            raise FieldlrError(f"{path}: {error}") from None

    def __repr__(self) -> str:
        backbone, size = self._field.config.linear.name, self._field.num_parameters
        return f"FlrRun({self.folder}, {self.kind}, {backbone}, {size:,} parameters)"

    @property
    def kind(self) -> Kind:
        """`photos`, `mesh` or `volume`."""
        return self._about.kind

    @property
    def content_hash(self) -> str:
        return self._about.content_hash

    @property
    def reading(self) -> dict[str, Any]:
        photos = self.kind == "photos"
        asked = self._about.reading
        return {"downscale": asked if photos else None, "grid": None if photos else asked}

    @property
    def background(self) -> Vector | None:
        return self._about.background

    def about(self) -> codec.About:
        return self._about

    def add_results(self, results: dict[str, Any]) -> None:
        """A file keeps no results."""

    def load_field(self) -> Field:
        return self._field

    def save(self, path: Path | str) -> FlrRun:
        """Copies the file; returns it as a run."""
        write_whole(flr_path(path), self.folder.read_bytes())
        return FlrRun(Path(path))

    def fresh_field(self) -> Field:
        raise FieldlrError(
            f"{self.folder} holds a field as it is, not as it was before its training. Give the "
            "run folder."
        )

    def load_cameras(self) -> tuple[Cameras, tuple[int, ...]]:
        """(the few cameras that the file keeps, all of which were held out)."""
        cameras = self._about.cameras
        if cameras is None:
            raise FieldlrError(f"{self.folder} keeps no cameras. Give a camera_path.json.")
        return cameras, tuple(range(len(cameras)))
