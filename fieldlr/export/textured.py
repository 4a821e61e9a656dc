"""Meshes that wear a picture, as .glb or as .obj with an .mtl and a .png beside it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from fieldlr.export.digits import significant_digits
from fieldlr.export.glb import encode_glb
from fieldlr.geometry.texture import Texture
from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.system.files import replacing


def write_textured(mesh: TriangleMesh, texture: Texture, path: Path) -> None:
    """Writes a mesh with its picture as .glb, or else as .obj with files beside it."""
    picture = _png(texture.image)
    if path.suffix.lower() == ".glb":
        parted, normals, uv = _parted(mesh, texture)
        _put(path, encode_glb(parted, normals, uv, picture))
        return
    beside = path.with_name(f"{path.stem}-texture.png"), path.with_name(f"{path.stem}-texture.mtl")
    _put(beside[0], picture)
    _put(beside[1], _material(beside[0].name))
    _put(path, _obj(mesh, texture, beside[1].name))


def _parted(
    mesh: TriangleMesh, texture: Texture
) -> tuple[TriangleMesh, Float[np.ndarray, "v 3"], Float[np.ndarray, "v 2"]]:
    """(mesh, normals, uv) with a vertex of its own for each place of it in the picture."""
    corner = mesh.faces.reshape(-1, 1)
    places = np.round(texture.corners.reshape(-1, 2) * 2.0**24)
    rows, faces = np.unique(np.concatenate([corner, places], 1), axis=0, return_inverse=True)
    vertex = rows[:, 0].astype(np.int64)
    faces = faces.reshape(-1, 3).astype(np.int64)
    parted = TriangleMesh(mesh.vertices[vertex], faces, up=mesh.up)
    return parted, mesh.vertex_normals[vertex], rows[:, 1:] / 2.0**24


def _png(image: UInt8[np.ndarray, "h w 3"]) -> bytes:
    held = io.BytesIO()
    Image.fromarray(image).save(held, "png")
    return held.getvalue()


def _material(picture: str) -> bytes:
    return f"newmtl surface\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture}\n".encode()


def _obj(mesh: TriangleMesh, texture: Texture, material: str) -> bytes:
    """OBJ counts from 1, and its pictures from the lower left corner."""
    uv = texture.corners.reshape(-1, 2) * (1.0, -1.0) + (0.0, 1.0)
    corners = np.arange(1, len(uv) + 1).reshape(-1, 3)
    faces = mesh.faces + 1
    rows = np.stack([faces, corners, faces], -1).reshape(-1, 9)
    text = io.StringIO()
    text.write(f"# fieldlr\nmtllib {material}\nusemtl surface\n")
    digits = significant_digits(mesh.vertices)
    np.savetxt(text, mesh.vertices, f"v %.{digits}g %.{digits}g %.{digits}g")
    np.savetxt(text, uv, "vt %.6f %.6f")
    np.savetxt(text, mesh.vertex_normals, "vn %.4f %.4f %.4f")
    np.savetxt(text, rows, "f %d/%d/%d %d/%d/%d %d/%d/%d")
    return text.getvalue().encode()


def _put(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
