"""Meshes as .ply, .obj, .stl and .glb; all but .glb keep the mesh's own coordinates.

Far from the origin, as at UTM coordinates, a .ply is written in double precision and an .obj with
more digits. An .stl has float32 alone: its places are counted from an offset that a text beside it
holds, as CloudCompare and Metashape have it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fieldlr.errors import FieldlrError
from fieldlr.export.digits import decimals
from fieldlr.export.glb import encode_glb
from fieldlr.geometry.boxes import Aabb, far_offset
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.system.files import replacing


def write_mesh(mesh: TriangleMesh, path: Path | str) -> str | None:
    """Writes a mesh in the format that the suffix names, with all that it can hold.

    What a person should know about where it is, or None.
    """
    path = Path(path)
    write = FORMATS.get(path.suffix.lower())
    if write is None:
        raise FieldlrError(
            f"A mesh is written as {', '.join(FORMATS)}; got {path.name}. Change the suffix."
        )
    if not len(mesh.faces):
        raise FieldlrError(
            f"{path.name} would be an empty mesh: the surface has no triangles at this threshold. "
            "Choose another threshold or check the field."
        )
    if mesh.texture is not None:
        from fieldlr.export.textured import write_textured

        require_textured(path)
        write_textured(mesh, mesh.texture, path)
        return None
    offset = far_offset(Aabb.around(mesh.vertices)) if write is _stl else (0.0, 0.0, 0.0)
    note, beside = None, path.with_name(f"{path.stem}-offset.txt")
    if any(offset):
        words = " ".join(f"{value:.15g}" for value in offset)
        mesh = replace(mesh, vertices=mesh.vertices - offset)
        note = f"{path.name} is moved by minus ({words}), which {beside.name} keeps: .stl has "
        note += "float32 alone. Write .ply or .obj to keep the coordinates."
        with replacing(beside) as temporary:
            temporary.write_text(words + "\n")
    elif write is _stl:
        beside.unlink(missing_ok=True)  # Of a mesh that was here before.
    content = write(mesh)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return note


def require_textured(path: Path) -> None:
    """FieldlrError where the format that a suffix names holds no picture."""
    if path.suffix.lower() not in TEXTURED:
        raise FieldlrError(
            f"a mesh with a texture is written as {' or '.join(TEXTURED)}; got {path.name}. Change "
            "the suffix, or leave `texture` out."
        )


def _ply(mesh: TriangleMesh) -> bytes:
    """Little-endian PLY 1.0 with normals, and colours where there are some."""
    far = any(far_offset(Aabb.around(mesh.vertices)))
    place, size = ("double", "<f8") if far else ("float", "<f4")
    rows = [("xyz", size, 3), ("normal", "<f4", 3)]
    names = [f"{place} {axis}" for axis in "xyz"] + [f"float n{axis}" for axis in "xyz"]
    if mesh.colors is not None:
        rows.append(("color", "u1", 4))
        names += [f"uchar {color}" for color in ("red", "green", "blue", "alpha")]
    vertices = np.empty(len(mesh.vertices), rows)
    vertices["xyz"], vertices["normal"] = mesh.vertices, mesh.vertex_normals
    if mesh.colors is not None:
        vertices["color"][:, :3], vertices["color"][:, 3] = mesh.colors, 255
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, mesh.faces
    head = [
        "ply",
        "format binary_little_endian 1.0",
        "comment fieldlr",
        f"element vertex {len(vertices)}",
        *(f"property {name}" for name in names),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    return "\n".join([*head, ""]).encode() + vertices.tobytes() + faces.tobytes()


def _obj(mesh: TriangleMesh) -> bytes:
    digits = decimals(mesh.vertices)
    text = _trimesh(mesh).export(
        file_type="obj", include_normals=True, header="fieldlr", digits=digits
    )
    return text.encode()


def _stl(mesh: TriangleMesh) -> bytes:
    return _trimesh(mesh).export(file_type="stl")


def _glb(mesh: TriangleMesh) -> bytes:
    return encode_glb(mesh, mesh.vertex_normals)


def _trimesh(mesh: TriangleMesh) -> Any:  # what `export` gives depends on the format
    import trimesh

    return trimesh.Trimesh(
        mesh.vertices,
        mesh.faces,
        vertex_normals=mesh.vertex_normals,
        vertex_colors=mesh.colors,
        process=False,
        validate=False,
    )


TEXTURED = (".glb", ".obj")
FORMATS = {".ply": _ply, ".obj": _obj, ".stl": _stl, ".glb": _glb}
