"""What a .glb declares beyond the core of glTF 2.0: put into plain terms, or refused by its name.

Sparse accessors (section 3.6.2.3) become whole ones, and the instances of EXT_mesh_gpu_instancing
nodes of their own, so that a reader of the core finds everything.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from fieldlr.data.glb import HEAD, MOST_NODES, require_modest
from fieldlr.errors import FieldlrError

INSTANCING = "EXT_mesh_gpu_instancing"
DRACO = "KHR_draco_mesh_compression"  # trimesh reads it, with DracoPy
# Extensions that a file may require and that change no triangle.
HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_", "KHR_lights_")
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
# What instances say, and the property of a node that is.
PLACES = {"TRANSLATION": "translation", "ROTATION": "rotation", "SCALE": "scale"}
BINARY = 0x004E4942


def plain(data: bytes) -> bytes:
    """The same .glb without sparse accessors and instances; FieldlrError for what is not read."""
    require_modest(data)
    magic, version, _, length, kind = HEAD.unpack_from(data)
    head: dict[str, Any] = json.loads(data[HEAD.size : HEAD.size + length])
    _require_known(head)
    sparse = [one for one in head.get("accessors", []) if "sparse" in one]
    instanced = [one for one in head.get("nodes", []) if INSTANCING in one.get("extensions", {})]
    if not sparse and not instanced:
        return data
    binary = bytearray(_binary(data, HEAD.size + length))
    for accessor in sparse:
        _fill(head, binary, accessor)
    for node in instanced:
        _spread(head, binary, node)
    for key in ("extensionsUsed", "extensionsRequired"):
        head[key] = [name for name in head.get(key, []) if name != INSTANCING]
    made = joined((magic, version, kind), head, bytes(binary))
    require_modest(made)
    return made


def _require_known(head: dict[str, Any]) -> None:
    for name in head.get("extensionsRequired", []):
        if name not in (INSTANCING, DRACO) and not str(name).startswith(HARMLESS):
            raise FieldlrError(
                f"this .glb requires the extension {str(name)[:60]}, which is not read. Export it "
                "without, from an editor such as Blender, or with gltf-transform copy."
            )


def _binary(data: bytes, start: int) -> bytes:
    """The first buffer, in the chunk after the JSON."""
    length, kind = struct.unpack_from("<II", data, start)
    if kind != BINARY:
        raise ValueError("its second chunk is no buffer")
    return data[start + 8 : start + 8 + length]


def _array(
    head: dict[str, Any], binary: bytes | bytearray, place: dict[str, Any], count: int, like: str
) -> np.ndarray:
    """`count` rows at a view and offset, of a component type and a shape such as VEC3."""
    width, component = WIDTHS[like], np.dtype(COMPONENTS[place["componentType"]])
    view = head["bufferViews"][place["bufferView"]]
    if view.get("buffer", 0) != 0:
        raise ValueError("its arrays lie in another file")
    start = view.get("byteOffset", 0) + place.get("byteOffset", 0)
    row = width * component.itemsize
    stride = view.get("byteStride") or row
    if count and start + (count - 1) * stride + row > len(binary):
        raise ValueError("an array ends beyond its buffer")
    return np.ndarray((count, width), component, bytes(binary), start, (stride, component.itemsize))


def _fill(head: dict[str, Any], binary: bytearray, accessor: dict[str, Any]) -> None:
    """Makes a sparse accessor a whole one."""
    sparse, like, count = accessor.pop("sparse"), accessor["type"], accessor["count"]
    kind = accessor["componentType"]
    whole = np.zeros((count, WIDTHS[like]), COMPONENTS[kind])
    if "bufferView" in accessor:
        whole[:] = _array(head, binary, accessor, count, like)
    rows = _array(head, binary, sparse["indices"], sparse["count"], "SCALAR")[:, 0]
    values = sparse["values"] | {"componentType": kind}
    whole[rows] = _array(head, binary, values, sparse["count"], like)
    binary += b"\0" * (-len(binary) % 4)
    views = head.setdefault("bufferViews", [])
    views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": whole.nbytes})
    accessor |= {"bufferView": len(views) - 1, "byteOffset": 0}
    binary += whole.tobytes()


def _spread(head: dict[str, Any], binary: bytearray, node: dict[str, Any]) -> None:
    """Gives a node a child for each instance of its mesh."""
    attributes = node["extensions"].pop(INSTANCING)["attributes"]
    places = {}
    for name, key in PLACES.items():
        if name in attributes:
            accessor = head["accessors"][attributes[name]]
            rows = _array(head, binary, accessor, accessor["count"], accessor["type"])
            scale = np.iinfo(rows.dtype).max if rows.dtype.kind in "iu" else 1.0
            places[key] = (rows / scale).tolist()
    count = min(map(len, places.values()), default=1)
    if len(head["nodes"]) + count > MOST_NODES:
        raise FieldlrError(
            f"a .glb is read with at most {MOST_NODES:,} nodes; this one has {count:,} instances. "
            "Join its meshes in an editor and export it again."
        )
    mesh = node.pop("mesh")
    first = len(head["nodes"])
    for number in range(count):
        head["nodes"].append({"mesh": mesh} | {key: rows[number] for key, rows in places.items()})
    node["children"] = [*node.get("children", []), *range(first, first + count)]


def joined(start: tuple[int, int, int], head: dict[str, Any], binary: bytes) -> bytes:
    """A .glb of a JSON head and one buffer; `start` is magic, version and the kind of the head."""
    magic, version, kind = start
    binary += b"\0" * (-len(binary) % 4)
    head["buffers"] = [{"byteLength": len(binary)}]
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    total = HEAD.size + len(text) + 8 + len(binary)
    return (
        HEAD.pack(magic, version, total, len(text), kind)
        + text
        + struct.pack("<II", len(binary), BINARY)
        + binary
    )
