"""Meshes in .3mf and .dae files: what is up, what is missing, and what is not read."""

import zipfile

import numpy as np
import pytest
import trimesh

from fieldlr.data import xml_meshes
from fieldlr.data.mesh import read_triangles
from fieldlr.errors import FieldlrError
from fieldlr.system import memory

DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'


@pytest.fixture
def wedge():
    """A body that tells every axis and direction apart."""
    return trimesh.convex.convex_hull([[0, 0, 0], [3, 0, 0], [0, 2, 0], [0, 0, 1]])


@pytest.mark.parametrize("up", "XYZ")
def test_the_axis_that_a_dae_names_is_up(tmp_path, wedge, up):
    right, above, near = wedge.vertices[:, 0], wedge.vertices[:, 2], -wedge.vertices[:, 1]
    stored = wedge.copy()
    stored.vertices = {
        "X": np.stack([above, -right, near], 1),
        "Y": np.stack([right, above, near], 1),
        "Z": wedge.vertices,
    }[up]
    text = stored.export(file_type="dae")
    assert b"<up_axis>Y_UP" in text
    (tmp_path / "wedge.dae").write_bytes(text.replace(b"Y_UP", up.encode() + b"_UP"))
    read, _ = read_triangles(tmp_path / "wedge.dae")
    assert sorted(map(tuple, read.vertices)) == sorted(map(tuple, wedge.vertices))
    assert trimesh.Trimesh(read.vertices, read.faces).volume == pytest.approx(wedge.volume)


def test_a_3mf_is_as_it_stands(tmp_path, wedge):
    wedge.export(tmp_path / "wedge.3mf")
    read, _ = read_triangles(tmp_path / "wedge.3mf")
    assert sorted(map(tuple, read.vertices)) == sorted(map(tuple, wedge.vertices))


def test_memory_is_limited_while_unpacking(tmp_path, wedge):
    with zipfile.ZipFile(tmp_path / "bomb.3mf", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("3D/3dmodel.model", b" " * (1 << 26))
    assert (tmp_path / "bomb.3mf").stat().st_size < 1 << 20
    most = memory.BASE_BYTES + (1 << 28)
    with pytest.raises(FieldlrError, match="memory"):
        read_triangles(tmp_path / "bomb.3mf", most)


@pytest.mark.parametrize("suffix", [".3mf", ".dae"])
def test_entities_are_not_expanded(tmp_path, wedge, suffix):
    path = tmp_path / f"wedge{suffix}"
    if suffix == ".dae":
        path.write_bytes(wedge.export(file_type="dae").replace(b"<COLLADA", DOCTYPE + b"<COLLADA"))
    else:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("3D/3dmodel.model", DOCTYPE + b"<model/>")
    with pytest.raises(FieldlrError, match="DOCTYPE"):
        read_triangles(path)


@pytest.mark.parametrize("suffix", [".3mf", ".dae"])
@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"no XML", b"<a>", b"<COLLADA/>"])
def test_broken_files_end_in_a_sentence(tmp_path, suffix, data):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(data)
    with pytest.raises(FieldlrError, match=f"{suffix}"):
        read_triangles(path)


def test_a_missing_package_is_named(tmp_path, wedge, monkeypatch):
    (tmp_path / "wedge.dae").write_bytes(wedge.export(file_type="dae"))
    monkeypatch.setitem(xml_meshes.PACKAGES, ".dae", ("no_such_package",))
    with pytest.raises(FieldlrError, match="no_such_package"):
        read_triangles(tmp_path / "wedge.dae")
