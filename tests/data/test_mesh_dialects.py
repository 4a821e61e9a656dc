"""Mesh files as programs really write them: the same triangles, whatever stands around them."""

import json

import numpy as np
import pytest
import trimesh

from fieldlr.data import ply_file
from fieldlr.data.glb import HEAD
from fieldlr.data.mesh import read_triangles
from fieldlr.errors import FieldlrError

BOX = trimesh.creation.box((1.0, 2.0, 3.0))


def text(suffix):
    kind = {"file_type": suffix[1:]} | ({"encoding": "ascii"} if suffix == ".ply" else {})
    stored = BOX.export(**kind)
    return stored if isinstance(stored, bytes) else stored.encode()


OBJ, OFF, PLY, STL = text(".obj"), text(".off"), text(".ply"), text(".stl")
ASCII_STL = BOX.export(file_type="stl_ascii").encode()
STRIPS = (
    b"ply\nformat ascii 1.0\nelement vertex 8\nproperty float x\nproperty float y\n"
    b"property float z\nelement tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    b"0 0 0\n1 0 0\n0 2 0\n1 2 0\n0 0 3\n1 0 3\n0 2 3\n1 2 3\n"
)
DIALECTS = {
    "tabs.obj": OBJ.replace(b"v ", b"v\t").replace(b"f ", b"f\t"),
    "indented.obj": OBJ.replace(b"\n", b"\n  "),
    "comments behind.obj": OBJ.replace(b"\n", b" # a comment\n"),
    "CR.obj": OBJ.replace(b"\n", b"\r"),
    "CRLF.obj": OBJ.replace(b"\n", b"\r\n"),
    "BOM.obj": b"\xef\xbb\xbf" + OBJ,
    "UTF-16.obj": OBJ.decode().encode("utf-16"),
    "continued lines.obj": OBJ.replace(b"f ", b"f \\\n"),
    "capitals.obj": OBJ.replace(b"f ", b"F ").replace(b"v ", b"V "),
    "version 2.obj": OBJ.replace(b"f ", b"fo "),
    "bytes behind.stl": STL + b"\0exported by a program",
    "solid in the header.stl": b"solid box" + STL[9:] + b"\n",
    "without endsolid.stl": ASCII_STL[: ASCII_STL.rfind(b"endsolid")],
    "CR.stl": ASCII_STL.replace(b"\n", b"\r"),
    "capitals.stl": ASCII_STL.upper(),
    "text behind.stl": ASCII_STL + b"\nmade by a program\n",
    "lower case.off": OFF.replace(b"OFF", b"off"),
    "CR.ply": PLY.replace(b"\n", b"\r"),
    "CRLF.ply": PLY.replace(b"\n", b"\r\n"),
    "blank line behind the header.ply": PLY.replace(b"end_header\n", b"end_header\n\n"),
    "vertex_index.ply": PLY.replace(b"vertex_indices", b"vertex_index"),
    "tristrips.ply": STRIPS + b"20 4 5 6 7 -1 7 5 3 1 -1 3 1 2 0 -1 2 0 6 4 -1\n",
}
# Strips: top and bottom, front, left and right; a side of the box (y = 2) and one (y = 0) are open.
OPEN = {"tristrips.ply": 8}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_has_the_triangles(tmp_path, name):
    (tmp_path / name).write_bytes(DIALECTS[name])
    mesh, notes = read_triangles(tmp_path / name)
    assert len(mesh.faces) == OPEN.get(name, 12)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([1.0, 2.0, 3.0])
    if name not in OPEN:
        assert notes == ()
        assert mesh.is_watertight


def test_triangles_of_a_strip_face_one_way(tmp_path):
    path = tmp_path / "strip.ply"
    path.write_bytes(STRIPS + b"6 0 1 2 3 6 7\n")
    mesh, _ = read_triangles(path)
    assert np.sign(mesh.face_normals[:2, 2]).tolist() == [1.0, 1.0]  # both in the plane z = 0
    assert np.sign(mesh.face_normals[2:, 1]).tolist() == [-1.0, -1.0]  # and both in y = 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_lists_of_several_lengths(order):
    """A quad, a triangle and an attribute of each face between them."""
    word = {"<": "little", ">": "big"}[order]
    header = (
        f"ply\nformat binary_{word}_endian 1.0\nelement vertex 4\nproperty double x\n"
        "property double y\nproperty double z\nproperty uchar red\nproperty uchar green\n"
        "property uchar blue\nelement face 2\nproperty ushort flags\n"
        "property list uchar int vertex_indices\nend_header\n"
    ).encode()
    layout = np.dtype([("p", order + "f8", 3), ("c", "u1", 3)])
    points = np.zeros(4, layout)
    points["p"] = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    points["c"] = 7 * np.arange(12).reshape(4, 3)
    quad = np.array(9, order + "u2").tobytes() + b"\4" + np.arange(4, dtype=order + "i4").tobytes()
    triangle = quad[:2] + b"\3" + np.array([0, 2, 3], order + "i4").tobytes()
    ply = ply_file.parse(header + points.tobytes() + quad + triangle)
    assert ply.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]]
    assert ply.columns(("x", "y", "z")).tolist() == points["p"].tolist()
    assert ply.colors.tolist() == points["c"].tolist()


@pytest.mark.parametrize("bare", ["scenes", "nodes and scenes"])
def test_a_glb_needs_no_scene(tmp_path, bare):
    data = BOX.export(file_type="glb")
    magic, version, _, length, kind = HEAD.unpack_from(data)
    header = json.loads(data[HEAD.size : HEAD.size + length])
    gone = ("scenes", "scene") if bare == "scenes" else ("scenes", "scene", "nodes")
    kept = json.dumps({k: v for k, v in header.items() if k not in gone}).encode()
    kept += b" " * (-len(kept) % 4)
    rest = data[HEAD.size + length :]
    head = HEAD.pack(magic, version, HEAD.size + len(kept) + len(rest), len(kept), kind)
    path = tmp_path / "bare.glb"
    path.write_bytes(head + kept + rest)
    mesh, _ = read_triangles(path)
    assert len(mesh.faces) == 12
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([1.0, 3.0, 2.0])  # glTF is Y-up


@pytest.mark.parametrize(
    "name, data",
    {
        "cut.stl": STL[:-60],
        "cut.ply": PLY[:-20],
        "rows.ply": PLY.replace(b"vertex 8", b"vertex 99999999999"),
        "list.ply": PLY.replace(b"\n3 ", b"\n-3 "),
    }.items(),
)
def test_cut_files_are_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FieldlrError, match="not a readable"):
        read_triangles(tmp_path / name)
