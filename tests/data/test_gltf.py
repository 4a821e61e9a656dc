"""A .gltf with its .bin, or with its buffer in itself, is the .glb that holds the same."""

import base64
import json

import numpy as np
import pytest
import trimesh

from fieldlr.data import mesh
from fieldlr.errors import FieldlrError


@pytest.fixture
def exported(tmp_path):
    """The .gltf of a box, its .bin files, and the triangles of the same box as .glb."""
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    box.export(tmp_path / "box.glb")
    for name, data in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box)).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path / "model.gltf", mesh.read_triangles(tmp_path / "box.glb")[0]


def spoil(path, change):
    head = json.loads(path.read_text())
    change(head)
    path.write_text(json.dumps(head))


def test_buffers_in_the_same_folder_are_read(exported):
    path, expected = exported
    found, _ = mesh.read_triangles(path)
    assert np.allclose(found.vertices, expected.vertices)
    assert np.array_equal(found.faces, expected.faces)


def test_buffers_in_it_are_read(exported):
    path, expected = exported

    def inline(head):
        for buffer in head["buffers"]:
            data = (path.parent / buffer["uri"]).read_bytes()
            buffer["uri"] = (
                "data:application/octet-stream;base64," + base64.b64encode(data).decode()
            )

    spoil(path, inline)
    found, _ = mesh.read_triangles(path)
    assert np.allclose(found.vertices, expected.vertices)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("../secret.bin", "not in its folder"),
        ("/etc/passwd", "not in its folder"),
        ("gone.bin", "not there"),
    ],
)
def test_buffers_elsewhere_are_refused(exported, uri, said):
    path, _ = exported
    spoil(path, lambda head: head["buffers"][0].update(uri=uri))
    with pytest.raises(FieldlrError, match=said):
        mesh.read_triangles(path)


def test_a_buffer_that_is_too_short_is_refused(exported):
    path, _ = exported
    spoil(path, lambda head: head["buffers"][0].update(byteLength=10**6))
    with pytest.raises(FieldlrError, match="promises 1,000,000 bytes"):
        mesh.read_triangles(path)


def test_pictures_that_are_missing_do_not_matter(exported):
    path, expected = exported
    spoil(path, lambda head: head.update(images=[{"uri": "gone.png"}]))
    assert len(mesh.read_triangles(path)[0].faces) == len(expected.faces)
