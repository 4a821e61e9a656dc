"""One writer per kind of file: meshes, images, videos. Files appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.export.image import depth_picture as depth_picture
from fieldlr.export.image import write_depth as write_depth
from fieldlr.export.image import write_image as write_image
from fieldlr.export.mesh import write_mesh as write_mesh
from fieldlr.export.video import Video as Video
from fieldlr.export.video import open_video as open_video
from fieldlr.export.video import write_video as write_video
from fieldlr.system.registry import Registry


@dataclass(frozen=True)
class Exporter:
    """One kind of file, as an entry of EXPORTERS, which names it by its suffix.

    Of a mesh, `write(mesh, path)`; of an image or a depth map, `write(array, path)`; of a video,
    `write(frames, path, fps, size)`.
    """

    name: str
    content: str  # mesh, image, depth or video
    summary: str
    write: Callable[..., Any]


EXPORTERS: Registry[Exporter] = Registry(
    "kind of file",
    Exporter(".ply", "mesh", "Stanford PLY, binary", write_mesh),
    Exporter(".obj", "mesh", "Wavefront OBJ", write_mesh),
    Exporter(".stl", "mesh", "STL, binary: for printing", write_mesh),
    Exporter(".glb", "mesh", "glTF, in one file: opens in every viewer", write_mesh),
    Exporter(".png", "image", "a picture", write_image),
    Exporter(".npy", "depth", "depth in the user's units", write_depth),
    Exporter(".mp4", "video", "H.264", write_video),
)


def exporter(path: Path, content: str) -> Exporter:
    """What writes such content to a path, by its suffix; FieldlrError where nothing does."""
    entry = EXPORTERS.get(path.suffix.lower())
    if entry is None or entry.content != content:
        known = " ".join(name for name, one in EXPORTERS.items() if one.content == content)
        raise FieldlrError(f"a {content} is written as {known}; got {path.name}.")
    return entry
