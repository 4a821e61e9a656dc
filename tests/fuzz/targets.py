"""What is fuzzed: whole files of each format, which of them are damaged, and who reads them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from fieldlr import codec
from fieldlr.batch.manifest import read_manifest
from fieldlr.data import open_source
from fieldlr.data.archives import unpack
from fieldlr.geometry.frames import Similarity
from fieldlr.metrics.bd import bd_figure
from fieldlr.metrics.curve_file import read_curve
from fieldlr.rendering.paths import read_camera_path
from fieldlr.runs import open_run
from fieldlr.runs.check import check
from tests.fuzz import seeds

GRID = 24  # voxels along the longest edge: reading is what is tried, not the making of a solid

Read = Callable[[Path, seeds.Files], object]


@dataclass(frozen=True)
class Target:
    """A format: `files()` are whole, `read(folder, files)` reads them once some are damaged."""

    files: Callable[[], seeds.Files]
    read: Read
    damaged: str = ""  # names of files that begin so are damaged


def _source(place: str, grid: int | None, folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    check(open_source(folder / place, grid=grid))


def _repacked(folder: Path, files: seeds.Files) -> None:
    """An .npz whose members are damaged and whose checksums are right."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    _source("volume.npz", None, folder, {"volume.npz": stream.getvalue()})


def _reassembled(folder: Path, files: seeds.Files) -> None:
    """A .glb whose JSON is damaged and whose lengths are right."""
    (whole,) = files.values()
    text = whole + b" " * (-len(whole) % 4)
    chunk = _binary_chunk()
    head = struct.pack("<5I", 0x46546C67, 2, 20 + len(text) + len(chunk), len(text), 0x4E4F534A)
    _source("mesh.glb", GRID, folder, {"mesh.glb": head + text + chunk})


def _glb_json() -> seeds.Files:
    data = seeds.mesh(".glb")["mesh.glb"]
    (length,) = struct.unpack_from("<I", data, 12)
    return {"mesh.json": json.dumps(json.loads(data[20 : 20 + length])).encode()}


def _binary_chunk() -> bytes:
    data = seeds.mesh(".glb")["mesh.glb"]
    return data[20 + struct.unpack_from("<I", data, 12)[0] :]


def _flr(folder: Path, files: seeds.Files) -> None:
    (data,) = files.values()
    codec.unpack(data)


def _sealed_flr(folder: Path, files: seeds.Files) -> None:
    """With the right checksum for whatever it says."""
    (data,) = files.values()
    codec.unpack(data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little"))


def _zip(folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    unpack(folder / "upload.zip", folder / "unpacked")


def _zipped() -> seeds.Files:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in seeds.transforms().items():
            archive.writestr(name, data)
    return {"upload.zip": stream.getvalue()}


def _camera_path(folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    read_camera_path(folder / "path.json", Similarity(), None)


def _run(folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    opened = open_run(folder / "run")
    opened.load_field().inside(torch.zeros(9, 3))
    opened.load_checkpoint()
    opened.about()


def _curve(folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    curve = read_curve(folder / "curve.json")
    bd_figure(curve, curve, force=True)


def _manifest(folder: Path, files: seeds.Files) -> None:
    write(folder, files)
    read_manifest(folder / "manifest.yaml")


def _photo(suffix: str, mode: str = "RGB") -> seeds.Files:
    """A scene the second photo of which is damaged."""
    files = seeds.transforms()
    damaged = {f"images/1{suffix}": seeds.picture(suffix, mode)}
    text = files["transforms.json"].replace(b"images/1.jpg", f"images/1{suffix}".encode())
    return files | {"transforms.json": text} | damaged


def _mesh(suffix: str, name: str, **how) -> Target:
    return Target(partial(seeds.mesh, suffix, **how), partial(_source, f"mesh{suffix}", GRID), name)


def _photos(files: Callable[[], seeds.Files], damaged: str) -> Target:
    return Target(files, partial(_source, "", None), damaged)


TARGETS: dict[str, Target] = {
    "transforms.json": _photos(seeds.transforms, "transforms"),
    "Blender": _photos(seeds.blender, "transforms"),
    "LLFF": _photos(seeds.llff, "poses"),
    "COLMAP binary": _photos(seeds.colmap_binary, "sparse"),
    "COLMAP text": _photos(seeds.colmap_text, "sparse"),
    "JPEG": _photos(partial(_photo, ".jpg"), "images/1"),
    "TIFF": _photos(partial(_photo, ".tif", "CMYK"), "images/1"),
    "OBJ": _mesh(".obj", "mesh"),
    "PLY": _mesh(".ply", "mesh"),
    "PLY text": _mesh(".ply", "mesh", encoding="ascii"),
    "STL": _mesh(".stl", "mesh"),
    "OFF": _mesh(".off", "mesh"),
    "GLB": _mesh(".glb", "mesh"),
    "GLB head": Target(_glb_json, _reassembled),
    "volume .npz": Target(seeds.volume_npz, partial(_source, "volume.npz", None)),
    "volume members": Target(seeds.volume_members, _repacked),
    "volume .npy": Target(seeds.volume_npy, partial(_source, "volume.npy", None)),
    ".flr": Target(seeds.flr_shape, _flr),
    ".flr shape sealed": Target(seeds.flr_shape, _sealed_flr),
    ".flr scene sealed": Target(seeds.flr_grid, _sealed_flr),
    "zip": Target(_zipped, _zip),
    "run folder": Target(seeds.run, _run),
    "manifest": Target(seeds.manifest, _manifest, "manifest"),
    "curve": Target(seeds.curve, _curve),
    "camera path": Target(seeds.camera_path, _camera_path),
}


def write(folder: Path, files: seeds.Files) -> None:
    """Writes the files below a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
