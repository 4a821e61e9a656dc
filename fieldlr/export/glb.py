"""Binary glTF 2.0 (Khronos, sections 3.7 and 4.4): one mesh, one material, at most one picture.

glTF is +Y up by its standard, so here, and only here, the mesh is turned: the shortest way until
what is up in it is +Z, then by -90 degrees about X, (x, y, z) to (x, z, -y). Places far from the
origin are counted from a whole number near them, the translation of the node.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.geometry.boxes import Aabb, Vector, far_offset
from fieldlr.geometry.triangles import TriangleMesh

Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
CLAY = (0.55, 0.55, 0.53, 1.0)  # linear light; what a mesh without colours is made of
COMPONENTS = {"float32": 5126, "uint16": 5123, "uint32": 5125}
VERTEX_BUFFER, INDEX_BUFFER = 34962, 34963


def encode_glb(
    mesh: TriangleMesh,
    normals: Float[np.ndarray, "v 3"],
    uv: Float[np.ndarray, "v 2"] | None = None,
    picture: bytes = b"",
) -> bytes:
    """The file of a mesh with unit normals (V, 3), both in the mesh's own frame.

    With `uv` (V, 2), from the upper left corner, it wears a picture, a PNG.
    """
    turn = Z_UP_TO_Y_UP @ standing(mesh.up)
    offset = np.array(far_offset(Aabb.around(mesh.vertices)))
    arrays: dict[str, np.ndarray] = {
        "POSITION": ((mesh.vertices - offset) @ turn.T).astype(np.float32),
        "NORMAL": (normals @ turn.T).astype(np.float32),
    }
    if mesh.colors is not None:
        arrays["COLOR_0"] = _linear_colors(mesh.colors)
    if uv is not None:
        arrays["TEXCOORD_0"] = uv.astype(np.float32)
    attributes = {name: number for number, name in enumerate(arrays)}
    arrays["indices"] = mesh.faces.reshape(-1, 1).astype(np.uint32)

    primitive = {"attributes": attributes, "indices": len(attributes), "material": 0}
    views, accessors, binary = _pack(arrays)
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "fieldlr"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0} | ({"translation": (turn @ offset).tolist()} if any(offset) else {})],
        "meshes": [{"primitives": [primitive]}],
        "materials": [_material(mesh.colors is None and uv is None)],
        "accessors": accessors,
        "bufferViews": views,
    }
    if uv is not None:
        document |= {
            "textures": [{"source": 0}],
            "images": [{"bufferView": len(views), "mimeType": "image/png"}],
        }
        surface = document["materials"][0]["pbrMetallicRoughness"]
        surface["baseColorTexture"] = {"index": 0}
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(picture)})
        binary += picture + b"\0" * (-len(picture) % 4)
    document["buffers"] = [{"byteLength": len(binary)}]
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def standing(up: Vector) -> Float[np.ndarray, "3 3"]:
    """The rotation, the shortest, that turns the unit vector `up` to +Z."""
    x, y, z = up
    if z < -1.0 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula about up x Z, whose length is the sine and `z` the cosine.
    cross = np.array([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + z)


def srgb_to_linear(colors: UInt8[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """sRGB bytes to linear light in [0, 1] (IEC 61966-2-1)."""
    value = colors / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _linear_colors(colors: np.ndarray) -> np.ndarray:
    """RGBA (V, 4) uint16: glTF reads vertex colours as linear light, and eight bits would band."""
    linear = np.ones((len(colors), 4))
    linear[:, :3] = srgb_to_linear(colors)
    return np.round(linear * 65535).astype(np.uint16)


def _material(plain: bool) -> dict[str, Any]:
    """Rough and non-metallic: glTF's default is a metal, black where there is nothing to mirror."""
    color = CLAY if plain else (1.0, 1.0, 1.0, 1.0)
    surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": 0.8}
    return {"pbrMetallicRoughness": surface, "doubleSided": True}


def _pack(
    arrays: dict[str, np.ndarray],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bytes]:
    """Buffer views, accessors and bytes of arrays (N, 1 to 4), whose rows are of 4 n bytes."""
    views, accessors, offset = [], [], 0
    for number, (name, array) in enumerate(arrays.items()):
        target = INDEX_BUFFER if name == "indices" else VERTEX_BUFFER
        view = {"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target}
        accessor = {
            "bufferView": number,
            "componentType": COMPONENTS[array.dtype.name],
            "count": len(array),
            "type": {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}[array.shape[1]],
        }
        if name == "COLOR_0":
            accessor["normalized"] = True
        if name == "POSITION":
            accessor |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        views.append(view)
        accessors.append(accessor)
        offset += array.nbytes
    return views, accessors, b"".join(array.tobytes() for array in arrays.values())
