"""What a .glb asks for before it is believed: a few bytes may name gigabytes.

A file names its arrays in a JSON head, and may use each as often as it likes: in many meshes, of
which each may stand in many places. Arrays without bytes are zeros, as many as the file says.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from fieldlr.errors import FieldlrError

HEAD = struct.Struct("<5I")  # magic, version, length; the JSON's length and kind
MOST_NUMBERS = 1 << 28
MOST_NODES, MOST_LEVELS, MOST_PARTS = 20_000, 200, 20_000


def require_modest(data: bytes) -> None:
    """FieldlrError where a .glb asks for more than its limits; any error where it is none."""
    _, _, _, length, _ = HEAD.unpack_from(data)
    header = json.loads(data[HEAD.size : HEAD.size + length])
    counts = [3 * accessor["count"] for accessor in header.get("accessors", [])]
    parts = [mesh["primitives"] for mesh in header.get("meshes", [])]
    sizes = [sum(_size(part, counts) for part in mesh) for mesh in parts]
    nodes = header.get("nodes", [])
    places = [node["mesh"] for node in nodes if "mesh" in node]
    used = sum(counts) + sum(sizes) + sum(sizes[mesh] for mesh in places)
    num_parts = sum(map(len, parts)) + sum(len(parts[mesh]) for mesh in places)
    asked = {
        "numbers": (used, MOST_NUMBERS),
        "nodes": (len(nodes), MOST_NODES),
        "levels of nodes": (_levels(nodes), MOST_LEVELS),
        "parts of meshes": (num_parts, MOST_PARTS),
    }
    for what, (number, most) in asked.items():
        if number > most:
            raise FieldlrError(
                f"a .glb is read with at most {most:,} {what}; this one asks for {number:,}. Join "
                "its meshes in an editor and export it again."
            )


def with_scene(data: bytes) -> bytes:
    """The file with a scene, which may be left out: all nodes that are not below another.

    Where there are no nodes either, every mesh gets one.
    """
    magic, version, _, length, kind = HEAD.unpack_from(data)
    header: dict[str, Any] = json.loads(data[HEAD.size : HEAD.size + length])
    if header.get("scenes"):
        return data
    meshes: list[Any] = header.get("meshes", [])
    nodes: list[dict[str, Any]] = header.get("nodes") or [{"mesh": i} for i in range(len(meshes))]
    below = {child for node in nodes for child in node.get("children", [])}
    roots = [i for i in range(len(nodes)) if i not in below]
    header |= {"nodes": nodes, "scenes": [{"nodes": roots}], "scene": 0}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    rest = data[HEAD.size + length :]
    total = HEAD.size + len(text) + len(rest)
    return HEAD.pack(magic, version, total, len(text), kind) + text + rest


def _size(part: dict[str, Any], counts: list[int]) -> int:
    """Numbers that one part of a mesh takes."""
    used = [part["attributes"]["POSITION"], *([part["indices"]] if "indices" in part else [])]
    return sum(counts[accessor] for accessor in used)


def _levels(nodes: list[dict[str, Any]]) -> int:
    """How deep the tree of nodes is; a circle is deeper than anything."""
    depth, level = 0, set(range(len(nodes)))
    while level and depth <= MOST_LEVELS:
        level = {child for node in level for child in nodes[node].get("children", ())}
        depth += 1
    return depth
