"""Results of a run in Python as a notebook shows them: figures, a mesh, a compressed field."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.errors import FieldlrError
from fieldlr.export import exporter
from fieldlr.export.image import png_bytes
from fieldlr.fields.field import Field
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade
from fieldlr.system.json import write_whole

PORTRAIT = 320  # pixels along the edges of a mesh's picture


class Figures(dict[str, Any]):
    """Figures by name; lists, such as those of every view, are in it and not printed."""

    def __repr__(self) -> str:
        return lines_of(self)


class Mesh(TriangleMesh):
    """A triangle mesh in the coordinates of the source: `vertices`, `faces`, `colors`, `save`."""

    def save(self, path: Path | str) -> None:
        """Writes the mesh as what the suffix says: .glb, .ply, .obj or .stl."""
        exporter(Path(path), "mesh").write(self, Path(path))

    def __repr__(self) -> str:
        closed = "watertight" if self.is_watertight else "open"
        return f"Mesh of {len(self.vertices):,} vertices and {len(self.faces):,} faces, {closed}"

    def _repr_html_(self) -> str:
        return page(repr(self), portrait(self))


@dataclass(frozen=True, repr=False)
class CompressedField:
    """A field as the bytes of a .flr file, the decoded field, and its quality."""

    data: bytes
    field: Field  # decoded
    num_parameters: int
    quality_name: str
    quality_before: float | None  # None where the source is not there to measure it
    quality_after: float | None

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    @property
    def bits_per_parameter(self) -> float:
        return 8.0 * self.num_bytes / self.num_parameters

    def save(self, path: Path | str) -> None:
        """Writes the file, whose suffix is .flr; `fieldlr.load` reads it."""
        write_whole(flr_path(path), self.data)

    def __repr__(self) -> str:
        words = f"{self.num_bytes:,} bytes, {self.bits_per_parameter:.3g} bits per parameter"
        if self.quality_before is None or self.quality_after is None:
            return f"CompressedField of {words}"
        change = f"{self.quality_before:.4g} before, {self.quality_after:.4g} after"
        return f"CompressedField of {words}, {self.quality_name} {change}"


def flr_path(path: Path | str) -> Path:
    """A path for a compressed field; FieldlrError where its suffix is another."""
    if Path(path).suffix.lower() != ".flr":
        raise FieldlrError(f"a compressed field is written as .flr; got {Path(path).name}.")
    return Path(path)


def portrait(mesh: TriangleMesh, size: int = PORTRAIT) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A picture of a mesh from a little above."""
    from fieldlr.runs.planning import shape_orbit

    camera = shape_orbit(Aabb.around(mesh.vertices), 8, (size, size))[7]
    pose = camera.camera_to_world[0].double().numpy()
    return shade(mesh, pose, float(camera.intrinsics[0, 0]), size, size)


def lines_of(figures: Mapping[str, Any]) -> str:
    """A line for each figure that is one number or word."""
    plain = {k: v for k, v in figures.items() if isinstance(v, str | int | float)}
    width = max(map(len, plain), default=0)
    shown = {k: f"{v:.5g}" if isinstance(v, float) else str(v) for k, v in plain.items()}
    return "\n".join(f"{k.replace('_', ' '):<{width}}  {v}" for k, v in shown.items())


def page(text: str, image: Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"] | None) -> str:
    """Text beside a picture, in HTML."""
    words = f"<pre>{html.escape(text)}</pre>"
    if image is None:
        return words
    data = base64.b64encode(png_bytes(image)).decode()
    picture = f'<img src="data:image/png;base64,{data}" width="{image.shape[1]}">'
    return f'<div style="display: flex; gap: 1.5em">{picture}{words}</div>'
