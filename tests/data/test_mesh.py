"""Solids of meshes, whole and broken, in every format."""

import json
import struct

import numpy as np
import pytest
import trimesh
from trimesh.exchange.gltf import export_gltf

from fieldlr.data import open_source, winding
from fieldlr.data.mesh import SUFFIXES, can_read, read, read_triangles
from fieldlr.data.voxels import grid_around, solid
from fieldlr.errors import FieldlrError
from fieldlr.geometry.triangles import TriangleMesh, voxelise
from fieldlr.metrics.shape import iou


@pytest.fixture
def knot() -> trimesh.Trimesh:
    """A closed body without symmetry: a bent torus beside the origin."""
    body = trimesh.creation.torus(1.0, 0.35)
    body.vertices[:, 2] += 0.5 * body.vertices[:, 0] ** 2
    body.vertices += [3.0, 2.0, 1.0]
    return body


def as_mesh(body: trimesh.Trimesh) -> TriangleMesh:
    return TriangleMesh(np.asarray(body.vertices, float), np.asarray(body.faces, np.int64))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_solid_in_the_users_frame(tmp_path, knot, suffix):
    stored = knot.copy()
    if suffix in (".glb", ".gltf", ".dae"):  # These are +Y up: what is z here is y there.
        stored.vertices = np.stack(
            [knot.vertices[:, 0], knot.vertices[:, 2], -knot.vertices[:, 1]], 1
        )
    if suffix == ".gltf":
        for name, data in export_gltf(trimesh.Scene(stored)).items():
            (tmp_path / name.replace("model", "knot")).write_bytes(data)
    else:
        stored.export(tmp_path / f"knot{suffix}")
    assert can_read(tmp_path / f"knot{suffix}")
    volume = read(tmp_path / f"knot{suffix}", 64)
    assert max(volume.shape) == 64
    assert len(set(np.round(volume.voxel_size, 9))) == 1
    expected = voxelise(as_mesh(knot), volume.aabb, volume.shape)
    assert iou(expected, volume.dense()) > 0.999
    assert volume.warnings == ()
    border = volume.dense()
    border[2:-2, 2:-2, 2:-2] = False
    assert not border.any()


def test_bodies_of_a_scene_stand_where_its_transforms_put_them(tmp_path):
    scene = trimesh.Scene()
    for x in (0.0, 4.0):
        place = trimesh.transformations.translation_matrix([x, 0.0, 0.0])
        scene.add_geometry(trimesh.creation.box((1.0, 1.0, 1.0)), transform=place)
    scene.export(tmp_path / "two.glb")
    volume = read(tmp_path / "two.glb", 104)
    assert any("2 bodies" in warning for warning in volume.warnings)
    assert np.ptp(volume.mesh.vertices, axis=0) == pytest.approx([5.0, 1.0, 1.0])
    assert volume.dense().sum() == 2 * 20**3


def test_bad_winding_is_repaired(knot):
    faces = np.asarray(knot.faces).copy()
    wrong = np.random.default_rng(0).random(len(faces)) < 0.4
    faces[wrong] = faces[wrong, ::-1]
    grid, _, mesh, notes = solid(TriangleMesh(np.asarray(knot.vertices), faces), 64)
    expected, _, _, none = solid(as_mesh(knot), 64)
    assert (grid == expected).all()
    assert none == ()
    assert "disagreed" in notes[0]
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume > 0


def test_inside_out_is_turned_and_a_cavity_stays():
    outer = trimesh.creation.icosphere(3, radius=1.0)
    cavity = trimesh.creation.icosphere(3, radius=0.5)
    cavity.invert()
    both = trimesh.util.concatenate([outer, cavity])
    grid, aabb, _, _ = solid(as_mesh(both), 64)
    both.invert()
    turned, _, _, notes = solid(as_mesh(both), 64)
    assert (turned == grid).all()
    assert "2 bodies of 2 faced inward: turned." in notes
    assert grid.mean() * np.prod(aabb.size) == pytest.approx(np.pi * 4 / 3 * 0.875, rel=0.02)


def test_overlapping_bodies_unite(knot):
    other = knot.copy()
    other.vertices += [0.3, 0.1, 0.2]
    grid, aabb, _, notes = solid(as_mesh(trimesh.util.concatenate([knot, other])), 64)
    apart = [voxelise(as_mesh(body), aabb, grid.shape) for body in (knot, other)]
    assert (grid == apart[0] | apart[1]).all()
    assert any("overlap" in note for note in notes)


def punctured() -> tuple[trimesh.Trimesh, trimesh.Trimesh]:
    whole = trimesh.creation.icosphere(4)
    keep = np.random.default_rng(0).random(len(whole.faces)) > 0.05
    return whole, trimesh.Trimesh(whole.vertices, whole.faces[keep], process=False)


def test_holes_are_closed():
    whole, broken = punctured()
    aabb, shape = grid_around(as_mesh(whole), 64)
    expected = voxelise(as_mesh(whole), aabb, shape)
    assert iou(expected, winding.voted_solid(as_mesh(broken), aabb, shape)) > 0.95
    igl = pytest.importorskip("igl", exc_type=ImportError)
    grid = winding.open_solid(as_mesh(broken), aabb, shape, igl.fast_winding_number)
    assert iou(expected, grid) > 0.99


def test_the_fast_way_equals_asking_at_every_voxel(data_dir):
    igl = pytest.importorskip("igl", exc_type=ImportError)
    mesh, _ = read_triangles(data_dir / "meshes" / "bunny-open.obj")
    aabb, shape = grid_around(mesh, 61)
    points = aabb.minimum + (np.indices(shape).reshape(3, -1).T + 0.5) * aabb.size[0] / shape[0]
    number = igl.fast_winding_number(mesh.vertices, mesh.faces, points).reshape(shape)
    assert iou(number > 0.5, winding.open_solid(mesh, aabb, shape, igl.fast_winding_number)) > 0.999


@pytest.mark.parametrize(
    ("name", "words", "fraction"),
    [
        ("armadillo.obj", [], 0.097),
        ("bunny-open.obj", ["4 holes (42 boundary edges)", "closed where"], 0.239),
        ("lionstatue-bad-winding.obj", ["disagreed about the outside at 4 edges", "1 hole"], 0.126),
    ],
)
def test_real_scans(data_dir, name, words, fraction):
    volume = read(data_dir / "meshes" / name, 128)
    assert volume.fraction == pytest.approx(fraction, rel=0.03)
    assert all(word in " ".join(volume.warnings) for word in words)


def test_rubbish_is_dropped_and_said(tmp_path):
    box = trimesh.creation.box((1.0, 1.0, 1.0))
    vertices = np.concatenate([box.vertices, [[np.nan, 0.0, 0.0]]])
    faces = np.concatenate([box.faces, [[0, 1, 8]], [[2, 2, 3]], box.faces[:2]])
    lines = [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    (tmp_path / "box.obj").write_text("\n".join(lines))
    mesh, notes = read_triangles(tmp_path / "box.obj")
    assert len(mesh.faces) == 12
    assert [note[0] for note in notes] == ["1", "1", "2"]
    assert "NaN or infinite" in notes[0]


def test_a_double_sided_box_is_a_box(tmp_path):
    box = trimesh.creation.box((1.0, 1.0, 1.0))
    both = np.concatenate([box.faces, box.faces[:, ::-1]])
    trimesh.Trimesh(box.vertices, both, process=False).export(tmp_path / "b.ply")
    assert read(tmp_path / "b.ply", 24).dense().sum() == 20**3


def test_a_one_sided_surface_is_reported():
    strip = np.array([[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 3, 5], [4, 5, 1], [1, 5, 0]])
    before = winding.topology(strip)
    after = winding.topology(winding.face_one_way(strip))
    assert before.num_bodies == after.num_bodies == 1
    assert after.num_opposed_edges > 0


def test_colours_are_kept(tmp_path):
    box = trimesh.creation.box()
    box.visual.vertex_colors = np.arange(32, dtype=np.uint8).reshape(8, 4)
    box.export(tmp_path / "b.ply")
    mesh, _ = read_triangles(tmp_path / "b.ply")
    assert mesh.colors.shape == (8, 3)
    assert set(mesh.colors[:, 0]) == set(range(0, 32, 4))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 200, b"ply\nformat ascii 1.0\n"])
def test_damaged_files_end_in_a_sentence(tmp_path, suffix, content):
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(FieldlrError, match=f"x{suffix}"):
        read(tmp_path / f"x{suffix}", 32)


def test_a_glb_cannot_reach_a_file_beside_it(tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(36))
    tree = {
        "asset": {"version": "2.0"},
        "buffers": [{"uri": "secret.bin", "byteLength": 36}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunk = struct.pack("<II", len(text), 0x4E4F534A) + text
    (tmp_path / "x.glb").write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunk)) + chunk)
    with pytest.raises(FieldlrError, match=r"x\.glb"):
        read(tmp_path / "x.glb", 32)


def test_a_resolution_out_of_range_is_refused(tmp_path, knot):
    knot.export(tmp_path / "knot.ply")
    with pytest.raises(FieldlrError, match="`grid` is a whole number from 16 to 1024"):
        open_source(tmp_path / "knot.ply", grid=5000)
