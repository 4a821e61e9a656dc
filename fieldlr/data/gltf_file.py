"""A .gltf and the files of its buffers as one .glb.

Only files in the folder of the .gltf, or below it, are read.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fieldlr.data.plain_gltf import joined
from fieldlr.errors import FieldlrError

MAGIC, VERSION, JSON_CHUNK = 0x46546C67, 2, 0x4E4F534A


def as_glb(path: Path) -> bytes:
    """The .glb with the same content; FieldlrError where a buffer is missing or elsewhere."""
    head: dict[str, Any] = json.loads(path.read_bytes())
    binary, starts = b"", []
    for buffer in head.get("buffers", []):
        binary += b"\0" * (-len(binary) % 4)
        starts.append(len(binary))
        binary += _buffer(path, buffer)
    for view in head.get("bufferViews", []):
        view["byteOffset"] = view.get("byteOffset", 0) + starts[view["buffer"]]
        view["buffer"] = 0
    # Only the surface is read: pictures beside the file are not looked for.
    for key in ("images", "textures", "samplers", "materials"):
        head.pop(key, None)
    for mesh in head.get("meshes", []):
        for part in mesh["primitives"]:
            part.pop("material", None)
    return joined((MAGIC, VERSION, JSON_CHUNK), head, binary)


def num_bytes(path: Path) -> int:
    """The size of a .gltf with its buffers, as it says itself; its own where it cannot be read."""
    own = path.stat().st_size
    try:
        buffers = json.loads(path.read_bytes())["buffers"]
        return own + sum(int(buffer["byteLength"]) for buffer in buffers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return own


def _buffer(path: Path, buffer: dict[str, Any]) -> bytes:
    uri, length = str(buffer["uri"]), int(buffer["byteLength"])
    if uri.startswith("data:"):
        data = base64.b64decode(uri.partition(",")[2])
    else:
        folder = path.parent.resolve()
        place = (folder / unquote(uri)).resolve()
        if folder not in place.parents:
            raise FieldlrError(
                f"{path.name} has its geometry in {uri[:100]}, which is not in its folder. Put it "
                "beside the .gltf, or export a .glb, which is one file."
            )
        if not place.is_file():
            raise FieldlrError(
                f"{path.name} has its geometry in {uri[:100]}, which is not there. Copy it to the "
                "same folder, or export a .glb, which is one file."
            )
        data = place.read_bytes()
    if len(data) < length:
        raise FieldlrError(
            f"{path.name} promises {length:,} bytes in {uri[:40]}; there are {len(data):,}. Copy "
            "or export it again."
        )
    return data[:length]
