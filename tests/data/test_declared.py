"""What a file declares is read, or refused by its name; what it may leave out may be left out."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from fieldlr.data import colmap, transforms
from fieldlr.data.colmap_model import read_shots
from fieldlr.data.mesh import read_triangles
from fieldlr.data.plain_gltf import BINARY, HEAD, INSTANCING
from fieldlr.errors import FieldlrError
from tests.data import test_colmap
from tests.data.test_transforms import ring, write


def written(path: Path, head: dict, *arrays: np.ndarray) -> Path:
    """A .glb of arrays, each with a view of its own."""
    views, binary = [], b""
    for array in arrays:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
    head = {
        "asset": {"version": "2.0"},
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        **head,
    }
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    total = HEAD.size + len(text) + 8 + len(binary)
    start = HEAD.pack(0x46546C67, 2, total, len(text), 0x4E4F534A)
    path.write_bytes(start + text + struct.pack("<II", len(binary), BINARY) + binary)
    return path


@pytest.fixture
def box() -> tuple[np.ndarray, np.ndarray]:
    body = trimesh.creation.box((1.0, 1.0, 1.0))
    return np.asarray(body.vertices, "<f4"), np.asarray(body.faces, "<u2").reshape(-1)


def head(vertices, faces, **more) -> dict:
    return {
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "nodes": [{"mesh": 0}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": len(faces), "type": "SCALAR"},
        ],
        **more,
    }


@pytest.mark.parametrize("required", [True, False])
def test_every_instance_is_read(tmp_path, box, required):
    places = np.array([[0, 0, 0], [3, 0, 0], [0, 7, 0]], "<f4")
    scales = np.array([[1, 1, 1], [2, 2, 2], [1, 1, 1]], "<f4")
    made = head(*box, extensionsUsed=[INSTANCING])
    if required:
        made["extensionsRequired"] = [INSTANCING]
    made["accessors"] += [
        {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"} for view in (2, 3)
    ]
    named = {"attributes": {"TRANSLATION": 2, "SCALE": 3}}
    made["nodes"] = [{"mesh": 0, "translation": [0, 0, 1], "extensions": {INSTANCING: named}}]
    mesh, _ = read_triangles(written(tmp_path / "three.glb", made, *box, places, scales))
    assert len(mesh.faces) == 36 and mesh.is_watertight
    # glTF's +Y is up, the user's +Z.
    assert mesh.vertices.min(0) == pytest.approx([-0.5, -2.0, -1.0])
    assert mesh.vertices.max(0) == pytest.approx([4.0, 0.0, 7.5])


def test_sparse_accessors_are_read(tmp_path, box):
    vertices, faces = box
    far = np.flatnonzero(vertices[:, 0] > 0)
    values = vertices[far] + np.array([2.0, 0, 0], "<f4")
    made = head(*box)
    made["accessors"][0]["sparse"] = {
        "count": len(far),
        "indices": {"bufferView": 2, "componentType": 5125},
        "values": {"bufferView": 3},
    }
    arrays = vertices, faces, far.astype("<u4"), values.astype("<f4")
    mesh, _ = read_triangles(written(tmp_path / "long.glb", made, *arrays))
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([3.0, 1.0, 1.0])
    made["accessors"][0].pop("bufferView")  # all zeros beside what is given
    mesh, _ = read_triangles(written(tmp_path / "zeros.glb", made, *arrays))
    assert mesh.vertices[:, 0].max() == 2.5 and mesh.vertices[:, 0].min() == 0.0


@pytest.mark.parametrize("name", ["EXT_meshopt_compression", "KHR_mesh_quantization", "ACME_x"])
def test_other_required_extensions_are_refused_by_name(tmp_path, box, name):
    made = head(*box, extensionsRequired=["KHR_materials_unlit", name])
    with pytest.raises(FieldlrError, match=f"requires the extension {name}.*Export it without"):
        read_triangles(written(tmp_path / "new.glb", made, *box))
    made["extensionsRequired"] = ["KHR_materials_unlit"]
    assert len(read_triangles(written(tmp_path / "new.glb", made, *box))[0].faces) == 12


def test_arrays_beyond_their_buffer_are_refused(tmp_path, box):
    made = head(*box)
    made["accessors"][0]["sparse"] = {
        "count": 4000,
        "indices": {"bufferView": 2, "componentType": 5125},
        "values": {"bufferView": 2},
    }
    with pytest.raises(FieldlrError, match="not a readable"):
        read_triangles(written(tmp_path / "bad.glb", made, *box, np.zeros(2, "<u4")))


def test_relative_indices_count_from_where_they_stand(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nvt 0 0\nv 5 0 0\nv 6 0 0\nv 5 1 0\n"
    (tmp_path / "two.obj").write_text(f"{text}f -3/-1 -2/-1 -1/-1\nf 4 5 -6\nv 9 9 9\n")
    mesh, _ = read_triangles(tmp_path / "two.obj")
    centers = np.sort(mesh.vertices[mesh.faces].mean(1)[:, 0])
    assert centers == pytest.approx([1 / 3, 11 / 3, 16 / 3])


@pytest.mark.parametrize(
    "top",
    [
        {"latlong": True},
        {"equirectangular": True},
        {"ftheta_p0": 0, "ftheta_p1": 0.05},
        {"rolling_shutter": [0, 0, 0.01, 0]},
        {"camera_model": "EQUIRECTANGULAR"},
    ],
)
def test_lenses_that_are_not_read_are_named(tmp_path, top):
    with pytest.raises(FieldlrError, match=f"{list(top)[-1]}.*not read"):
        transforms.read(write(tmp_path, top))
    with pytest.raises(FieldlrError, match=f"{list(top)[-1]}.*not read"):
        transforms.read(write(tmp_path, frame=lambda i: top if i == 3 else {}))


def test_disabled_camera_features_are_accepted(tmp_path):
    top = {"latlong": False, "rolling_shutter": [0, 0, 0, 0], "equirectangular": None}
    assert len(transforms.read(write(tmp_path, top)).images) == 9
    scene = transforms.read(write(tmp_path, {"white_transparent": True}))
    assert "white_transparent is not read and has no effect." in scene.warnings


def test_a_camera_that_moves_during_the_photo_is_refused(tmp_path):
    poses = ring()
    ends = {"transform_matrix_start": poses[0], "transform_matrix_end": poses[1]}
    with pytest.raises(FieldlrError, match="moves while it takes the photo"):
        transforms.read(write(tmp_path, frame=lambda i: ends if i == 0 else {}))


@pytest.mark.parametrize("change", ["none", "left out", "blank first", "bom", "sizes", "spaces"])
def test_colmap_text_in_every_shape_that_tools_write(tmp_path, change):
    test_colmap.write(tmp_path, text=True)
    model = tmp_path / "sparse" / "0"
    images, cameras = model / "images.txt", model / "cameras.txt"
    lines = images.read_text().splitlines()
    if change == "left out":
        images.write_text("\n".join(line for line in lines if ".png" in line or "#" in line))
    elif change == "blank first":
        images.write_text("\n".join([lines[0], "", "", *lines[1:]]))
    elif change == "bom":
        for file in (images, cameras):
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    elif change == "sizes":
        cameras.write_text(cameras.read_text().replace(" 32 24 ", " 32.0 24.0 "))
    elif change == "spaces":
        images.write_text("\n".join(f"  {line}" for line in lines))
    shots = read_shots(model)
    assert [shot.name for shot in shots] == [name for name, *_ in test_colmap.shots()]
    assert len(colmap.read(tmp_path).images) == 9


def test_colmap_observations_are_not_taken_for_images(tmp_path):
    test_colmap.write(tmp_path, text=True)
    file = tmp_path / "sparse" / "0" / "images.txt"
    file.write_text(file.read_text().replace("1.0 2.0 -1", "1 2 -1 3 4 5 6 7 8 9.5 10 11"))
    assert len(read_shots(file.parent)) == 9
    file.with_name("cameras.txt").write_text("1 PINHOLE 32.5 24 9 9 9 9\n")
    with pytest.raises(FieldlrError, match=r"whole numbers, got '1 32.5 24'"):
        colmap.read(tmp_path)
