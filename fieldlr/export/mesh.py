"""Meshes as .ply, .obj, .stl and .glb; all but .glb keep the mesh's own coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.export.glb import encode_glb
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.system.files import replacing


def write_mesh(mesh: TriangleMesh, path: Path | str) -> None:
    """Writes a mesh in the format that the suffix names, with all that it can hold."""
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
        return
    content = write(mesh)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def require_textured(path: Path) -> None:
    """FieldlrError where the format that a suffix names holds no picture."""
    if path.suffix.lower() not in TEXTURED:
        raise FieldlrError(
            f"a mesh with a texture is written as {' or '.join(TEXTURED)}; got {path.name}. Change "
            "the suffix, or leave `texture` out."
        )


def _ply(mesh: TriangleMesh) -> bytes:
    return _trimesh(mesh).export(file_type="ply", encoding="binary", vertex_normal=True)


def _obj(mesh: TriangleMesh) -> bytes:
    text = _trimesh(mesh).export(file_type="obj", include_normals=True, header="fieldlr")
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
