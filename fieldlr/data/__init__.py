"""Sources: what a path holds, read into a `Scene` of photos or an `OccupancyVolume`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fieldlr.data import colmap, llff, mesh, transforms, volume
from fieldlr.data.images import is_photo
from fieldlr.data.scene import Scene as Scene
from fieldlr.data.volume import OccupancyVolume as OccupancyVolume
from fieldlr.errors import FieldlrError

FINEST_GRID = 1024
Kind = Literal["photos", "mesh", "volume"]


@dataclass(frozen=True)
class Reader:
    """One format: what it holds, whether a path is of it, and how it is read."""

    kind: Kind
    can_read: Callable[[Path], bool]
    read: Callable[..., Scene | OccupancyVolume]


# In the order in which they are asked: a folder with a transforms.json is read by that.
READERS = {
    "transforms.json": Reader("photos", transforms.can_read, transforms.read),
    "LLFF": Reader("photos", llff.can_read, llff.read),
    "COLMAP": Reader("photos", colmap.can_read, colmap.read),
    "mesh": Reader("mesh", mesh.can_read, mesh.read),
    "volume": Reader("volume", volume.can_read, volume.read),
}


@dataclass(frozen=True)
class Source:
    """What a path holds."""

    kind: Kind
    format: str  # the key in READERS
    content: Scene | OccupancyVolume


def is_source(path: Path) -> bool:
    """Whether there is a reader for what lies there."""
    return kind_of(path) is not None


def kind_of(path: Path) -> Kind | None:
    """What lies there, by the first reader that says yes, without reading it."""
    return next((reader.kind for reader in READERS.values() if reader.can_read(path)), None)


def open_source(
    path: Path,
    downscale: int | None = None,
    grid: int | None = None,
    memory_gib: float | None = None,
) -> Source:
    """Reads a folder or file by the first reader that says yes.

    `downscale` divides the size of photos; `grid` is the number of voxels along the longest edge
    of a mesh. FieldlrError where one is given for another kind of source, and where a fit would
    take more than `memory_gib`, by default all the memory there is.
    """
    path = Path(path)
    most_bytes = None if memory_gib is None else int(memory_gib * 2**30)
    try:
        return _opened(path, downscale, grid, most_bytes)
    except OSError as error:
        raise FieldlrError(
            f"{str(path)[:200]} cannot be read ({error.strerror or error}). Check the path and "
            "who may read it."
        ) from error
    except MemoryError as error:
        raise FieldlrError(
            f"{path} takes more memory than there is ({error}). Make it smaller."
        ) from error


def _opened(path: Path, downscale: int | None, grid: int | None, most_bytes: int | None) -> Source:
    if not path.exists():
        raise FieldlrError(f"a source is a folder or a file that exists; {path} does not.")
    if not (path.is_dir() or path.is_file()):
        raise FieldlrError(f"a source is a folder or a file; {path} is a device or a pipe.")
    for name, reader in READERS.items():
        if not reader.can_read(path):
            continue
        asked = asked_of(reader.kind, downscale, grid)
        return Source(reader.kind, name, reader.read(path, **asked, most_bytes=most_bytes))
    if path.is_dir() and any(is_photo(file) for file in path.iterdir()):
        raise FieldlrError(
            f"photos need the poses of their cameras; {path} holds pictures alone. "
            f"fieldlr poses {path} --out DIR makes a folder with both."
        )
    raise FieldlrError(
        f"{path} is none of the sources that fieldlr reads: posed photos (transforms.json, LLFF "
        "poses_bounds.npy, COLMAP sparse model), a mesh (.obj .ply .stl .off .glb) or a volume "
        "(.npz, .npy)."
    )


def asked_of(kind: Kind, downscale: int | None, grid: int | None) -> dict[str, int]:
    """What the reader of this kind is told; FieldlrError where that makes no sense."""
    if downscale is not None and (kind != "photos" or downscale < 1):
        raise FieldlrError(
            f"--downscale divides the size of photos by 1 or more; got {downscale} for a {kind}."
        )
    if grid is not None and (kind != "mesh" or not 16 <= grid <= FINEST_GRID):
        raise FieldlrError(
            f"--grid is the number of voxels along the longest edge of a mesh, 16 to "
            f"{FINEST_GRID}; got {grid} for a source of kind {kind}."
        )
    asked = {"downscale": downscale, "resolution": grid}
    return {name: value for name, value in asked.items() if value is not None}
