import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from fieldlr.errors import FieldlrError
from fieldlr.export import EXPORTERS, write_mesh
from fieldlr.geometry.triangles import TriangleMesh


@pytest.fixture(scope="module")
def mesh() -> TriangleMesh:
    """An ellipsoid off the origin, coloured by its height."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices = np.asarray(ball.vertices) * [1.0, 2.0, 3.0] + [10.0, 20.0, 30.0]
    shade = np.linspace(0, 255, len(vertices)).astype(np.uint8)
    colors = np.stack([shade, 255 - shade, np.full_like(shade, 128)], 1)
    return TriangleMesh(vertices, np.asarray(ball.faces), colors)


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".stl"])
def test_meshes_come_back_in_their_own_frame(mesh, tmp_path, suffix):
    entry = EXPORTERS[suffix]
    assert entry.content == "mesh"
    entry.write(mesh, tmp_path / f"new folder/ball{suffix}")
    back = trimesh.load(tmp_path / f"new folder/ball{suffix}", process=False)
    assert np.allclose(back.triangles, mesh.vertices[mesh.faces], atol=1e-5)
    assert [file.name for file in (tmp_path / "new folder").iterdir()] == [f"ball{suffix}"]
    if suffix != ".stl":
        assert np.array_equal(back.visual.vertex_colors[:, :3], mesh.colors)
        assert np.allclose(back.vertex_normals, mesh.vertex_normals, atol=1e-4)


def test_ply_is_binary_with_normals(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "ball.ply")
    header = (tmp_path / "ball.ply").read_bytes()[:600]
    assert b"binary_little_endian" in header and b"property float nx" in header
    assert b"property uchar red" in header


def test_glb_stands_up_and_keeps_its_colours(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "ball.glb")
    back = trimesh.load(tmp_path / "ball.glb", process=False).geometry
    (back,) = back.values()
    x, y, z = mesh.vertices.T
    assert np.allclose(back.vertices, np.stack([x, z, -y], 1), atol=1e-5)
    assert np.array_equal(back.faces, mesh.faces)
    assert back.volume > 0
    assert np.allclose(np.linalg.norm(back.vertex_normals, axis=1), 1)


def test_glb_colours_are_linear_and_the_material_is_not_metallic(mesh, tmp_path):
    write_mesh(mesh, tmp_path / "ball.glb")
    data = (tmp_path / "ball.glb").read_bytes()
    assert struct.unpack("<4sII", data[:12]) == (b"glTF", 2, len(data))
    length = struct.unpack("<I", data[12:16])[0]
    document, binary = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert document["materials"][0]["pbrMetallicRoughness"]["metallicFactor"] == 0
    primitive = document["meshes"][0]["primitives"][0]
    accessor = document["accessors"][primitive["attributes"]["COLOR_0"]]
    view = document["bufferViews"][accessor["bufferView"]]
    raw = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    linear = np.frombuffer(raw, np.uint16).reshape(-1, 4) / 65535
    # The inverse of the sRGB curve, as a viewer's screen applies it.
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.array_equal(np.round(shown[:, :3] * 255), mesh.colors)
    assert (linear[:, 3] == 1).all()


def test_a_mesh_without_colours(mesh, tmp_path):
    for suffix in (".ply", ".obj", ".stl", ".glb"):
        write_mesh(TriangleMesh(mesh.vertices, mesh.faces), tmp_path / f"plain{suffix}")
        back = trimesh.load(tmp_path / f"plain{suffix}", force="mesh")
        assert len(back.faces) == len(mesh.faces) and back.is_watertight


def test_normals_of_an_ellipsoid_point_along_its_gradient(mesh):
    gradient = (mesh.vertices - [10, 20, 30]) / [1, 4, 9]
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    assert (mesh.vertex_normals * gradient).sum(1).min() > 0.99


def test_errors_name_the_file(mesh, tmp_path):
    with pytest.raises(FieldlrError, match=r"ball\.fbx"):
        write_mesh(mesh, tmp_path / "ball.fbx")
    empty = TriangleMesh(np.empty((0, 3)), np.empty((0, 3), np.int64))
    with pytest.raises(FieldlrError, match=r"none\.ply.*empty"):
        write_mesh(empty, tmp_path / "none.ply")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FieldlrError, match="cannot be written"):
        write_mesh(mesh, tmp_path / "file" / "ball.ply")


@pytest.mark.parametrize("up", [(0.0, -1.0, 0.0), (0.0, 0.0, -1.0), (0.6, 0.0, 0.8)])
def test_glb_stands_up_whatever_is_up_in_the_mesh(mesh, tmp_path, up):
    write_mesh(replace(mesh, up=up), tmp_path / "ball.glb")
    (back,) = trimesh.load(tmp_path / "ball.glb", process=False).geometry.values()
    # glTF's up is +Y.
    assert np.allclose(back.vertices[:, 1], mesh.vertices @ up, atol=1e-4)
    assert back.volume == pytest.approx(8 * np.pi, rel=0.02)
