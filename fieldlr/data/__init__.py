"""Sources: reads a path into a `Scene` of photos or an `OccupancyVolume`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fieldlr.data import cloud as clouds
from fieldlr.data import colmap, llff, mesh, transforms, volume_file
from fieldlr.data.images import is_photo
from fieldlr.data.options import ReadingOptions
from fieldlr.data.scene import Capture
from fieldlr.data.scene import Scene as Scene
from fieldlr.data.unread import refuse
from fieldlr.data.volume import OccupancyVolume as OccupancyVolume
from fieldlr.errors import FieldlrError
from fieldlr.system.registry import Registry

Kind = Literal["photos", "mesh", "volume"]


@dataclass(frozen=True)
class Reader:
    """One format, as an entry of READERS: whether a path is of it, and how it is read."""

    name: str
    kind: Kind  # what it holds
    summary: str
    can_read: Callable[[Path], bool]
    read: Callable[..., Scene | OccupancyVolume]
    takes: tuple[str, ...] = ()  # the reading options that it takes
    # Of photos: the views of a path and of the folder `images`, without decoding a photo.
    find: Callable[[Path, str | None], Capture] | None = None


# In the order in which they are tried: transforms.json comes first.
READERS: Registry[Reader] = Registry(
    "format",
    Reader(
        "transforms.json",
        "photos",
        "photos with poses, as instant-ngp, nerfstudio and Blender write them",
        transforms.can_read,
        transforms.read,
        ("downscale", "images"),
        transforms.find,
    ),
    Reader(
        "LLFF",
        "photos",
        "poses_bounds.npy",
        llff.can_read,
        llff.read,
        ("downscale", "images"),
        llff.find,
    ),
    Reader(
        "COLMAP",
        "photos",
        "a sparse model and its photos",
        colmap.can_read,
        colmap.read,
        ("downscale", "images"),
        colmap.find,
    ),
    Reader(
        "point cloud",
        "mesh",
        "points on a surface, with or without normals",
        clouds.can_read,
        clouds.read,
        ("grid", "cloud"),
    ),
    Reader("mesh", "mesh", "a surface of triangles", mesh.can_read, mesh.read, ("grid",)),
    Reader("volume", "volume", "booleans on a grid", volume_file.can_read, volume_file.read),
)


@dataclass(frozen=True)
class Source:
    """What a path holds."""

    kind: Kind
    format: str  # the key in READERS, or "arrays"
    content: Scene | OccupancyVolume

    def __repr__(self) -> str:
        return f"Source of a {self.kind}, {self.content}".replace("a photos", "photos")


def is_source(path: Path) -> bool:
    """Whether there is a reader for what lies there."""
    return reader_of(path) is not None


def reader_of(path: Path) -> Reader | None:
    """The first reader that accepts the path."""
    return next((reader for reader in READERS.values() if reader.can_read(path)), None)


def open_source(
    path: Path | str,
    downscale: int | None = None,
    grid: int | None = None,
    images: str | None = None,
    cloud: str | None = None,
    memory: float | None = None,
) -> Source:
    """Reads a folder or file by the first reader that accepts it.

    `downscale` divides the size of photos; `grid` is the number of voxels along the longest edge
    of a mesh or a point cloud; `images` is where photos are; `cloud` is how points become a solid.
    FieldlrError where one is given for another kind of source, and where a fit would take more
    than `memory` GiB, by default all the memory there is.
    """
    path = Path(path)
    reading = ReadingOptions(downscale=downscale, grid=grid, images=images, cloud=cloud)
    most_bytes = None if memory is None else int(memory * 2**30)
    try:
        return _opened(path, reading, most_bytes)
    except OSError as error:
        raise FieldlrError(
            f"{str(path)[:200]} cannot be read ({error.strerror or error}). Check the path and "
            "its permissions."
        ) from error
    except MemoryError as error:
        raise FieldlrError(
            f"{path} needs more memory than is available ({error}). Make it smaller."
        ) from error


def _opened(path: Path, reading: ReadingOptions, most_bytes: int | None) -> Source:
    if not path.exists():
        raise FieldlrError(f"a source is a folder or a file that exists; {path} does not.")
    if not (path.is_dir() or path.is_file()):
        raise FieldlrError(f"a source is a folder or a file; {path} is a device or a pipe.")
    if path.suffix.lower() == ".zip" and path.is_file():
        return _from_zip(path, reading, most_bytes)
    for reader in READERS.values():
        if reader.can_read(path):
            asked = asked_of(reader, reading)
            content = reader.read(path, **asked, most_bytes=most_bytes)
            return Source(reader.kind, reader.name, content)
    if path.is_dir() and any(is_photo(file) for file in path.iterdir()):
        raise FieldlrError(
            f"photos need the poses of their cameras; {path} contains images but no poses. "
            f"fieldlr poses {path} --out DIR makes a folder with both."
        )
    refuse(path)
    raise FieldlrError(
        f"{path} is none of the sources that fieldlr reads: posed photos (transforms.json, LLFF "
        "poses_bounds.npy, COLMAP sparse model), a mesh (.obj .ply .stl .off .glb .3mf .dae), a "
        "point cloud (.ply .xyz .pts .pcd), a volume (.npz, .npy) or a .zip of one."
    )


def _from_zip(path: Path, reading: ReadingOptions, most_bytes: int | None) -> Source:
    """The source in an archive, which is unpacked only while it is read."""
    from fieldlr.data.archives import unpacked

    if reading.images is not None:
        raise FieldlrError("the photos of a .zip are looked for within it: leave out `images`.")
    with unpacked(path) as source:
        return _opened(source, reading, most_bytes)


def asked_of(reader: Reader, reading: ReadingOptions) -> dict[str, Any]:
    """The options for a reader; FieldlrError for one that it does not take."""
    asked = {name: value for name, value in reading.flat().items() if value is not None}
    for name in asked:
        if name not in reader.takes:
            whose = {one.kind for one in READERS.values() if name in one.takes}
            raise FieldlrError(
                f"`{name}` is for {', '.join(sorted(whose))}; got a source of kind {reader.kind}. "
                "Leave it out."
            )
    return asked
