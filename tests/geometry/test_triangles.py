"""Laws of the scan conversion: exact crossings, exact solids."""

import numpy as np
import pytest
import trimesh

from fieldlr.data.mesh import read_triangles
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.triangles import TriangleMesh, rasterise, voxelise, winding_slabs


def mesh_of(body) -> TriangleMesh:
    return TriangleMesh(np.asarray(body.vertices, float), np.asarray(body.faces, np.int64))


def union(*meshes: TriangleMesh) -> TriangleMesh:
    starts = np.cumsum([0, *[len(m.vertices) for m in meshes]])
    faces = [m.faces + start for m, start in zip(meshes, starts, strict=False)]
    return TriangleMesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))


def sphere(center=(0.0, 0.0, 0.0), radius=1.0) -> TriangleMesh:
    body = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return TriangleMesh(body.vertices + center, np.asarray(body.faces, np.int64))


BOX = Aabb((-2.0, -2.0, -2.0), (2.0, 2.0, 2.0))


def test_a_cube_is_exact_even_where_its_faces_run_through_voxel_centres():
    grid = voxelise(mesh_of(trimesh.creation.box((2.0, 2.0, 2.0))), BOX, (40, 40, 40))
    expected = np.zeros((40, 40, 40), bool)
    expected[10:30, 10:30, 10:30] = True
    assert (grid == expected).all()
    # Centres at -1 + 0.1 k of an odd grid: one border is in, the other out, so 20 of 21 remain.
    on_centres = Aabb((-2.05,) * 3, (2.05,) * 3)
    grid = voxelise(mesh_of(trimesh.creation.box((2.0, 2.0, 2.0))), on_centres, (41, 41, 41))
    assert np.ptp(np.argwhere(grid), axis=0).max() <= 20
    assert 20**3 <= grid.sum() <= 21**3


def test_the_volume_of_a_sphere():
    mesh = sphere()
    volume = trimesh.Trimesh(mesh.vertices, mesh.faces).volume
    grid = voxelise(mesh, BOX, (128, 120, 110))
    assert grid.mean() * 64.0 == pytest.approx(volume, rel=1e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_moving_by_a_voxel_moves_the_voxels(axis):
    step = np.zeros(3)
    step[axis] = 4.0 / 64
    body = trimesh.creation.torus(1.0, 0.4)
    still = voxelise(mesh_of(body), BOX, (64, 64, 64))
    moved = voxelise(TriangleMesh(body.vertices + step, body.faces), BOX, (64, 64, 64))
    assert (moved == np.roll(still, 1, axis)).all()


def test_overlapping_bodies_unite_and_a_turned_body_is_a_cavity():
    one, two = sphere((-0.5, 0, 0)), sphere((0.5, 0, 0))
    shape = (50, 51, 52)
    apart = voxelise(one, BOX, shape) | voxelise(two, BOX, shape)
    assert (voxelise(union(one, two), BOX, shape) == apart).all()
    inner = sphere(radius=0.5)
    turned = TriangleMesh(inner.vertices, inner.faces[:, ::-1])
    shell = voxelise(sphere(), BOX, shape) & ~voxelise(inner, BOX, shape)
    assert (voxelise(union(sphere(), turned), BOX, shape) == shell).all()


def test_every_column_of_a_closed_mesh_leaves_as_often_as_it_enters():
    random = np.random.default_rng(0)
    body = trimesh.creation.icosphere(subdivisions=3)
    # Coordinates on the very columns: the hard case of a scan conversion.
    vertices = np.round(body.vertices * 16) / 16 + random.integers(-1, 2, body.vertices.shape) / 16
    mesh = TriangleMesh(vertices, np.asarray(body.faces, np.int64))
    centred = Aabb((-2.0 - 1 / 32,) * 3, (2.0 + 1 / 32,) * 3)
    for _, below, above in winding_slabs(mesh, centred, (65, 65, 65)):
        assert (below == above).all()
        assert below.any()


def test_triangles_that_tile_a_square_cover_every_sample_once():
    random = np.random.default_rng(1)
    inner = random.integers(1, 31, (300, 2)).astype(float)
    points = np.unique(np.concatenate([inner, [[0, 0], [32, 0], [0, 32], [32, 32]]]), axis=0)
    from scipy.spatial import Delaunay

    count = np.zeros((32, 32), int)
    for samples in rasterise(points, Delaunay(points).simplices, (0, 32), 32):
        np.add.at(count, (samples.columns, samples.rows), 1)
        corners = points[Delaunay(points).simplices[samples.faces]]
        where = (corners * samples.weights[..., None]).sum(1)
        np.testing.assert_allclose(where, np.stack([samples.columns, samples.rows], 1), atol=1e-9)
    assert (count == 1).all()


def test_slabs_and_pieces_do_not_show(monkeypatch):
    mesh = mesh_of(trimesh.creation.torus(1.0, 0.4))
    whole = voxelise(mesh, BOX, (60, 50, 40))
    for name, value in (("_BLOCK_FACES", 97), ("_CHUNK_SAMPLES", 31), ("_SLAB_VOXELS", 7 * 2000)):
        monkeypatch.setattr(f"fieldlr.geometry.triangles.{name}", value)
    assert (voxelise(mesh, BOX, (60, 50, 40)) == whole).all()


def random_voxels(grid: np.ndarray, aabb: Aabb):
    index = np.random.default_rng(0).integers(0, grid.shape, (50_000, 3))
    points = aabb.minimum + (index + 0.5) * (np.array(aabb.size) / grid.shape)
    return points, grid[tuple(index.T)]


def test_the_armadillo_agrees_with_open3d_and_with_winding_numbers(data_dir):
    mesh, _ = read_triangles(data_dir / "meshes" / "armadillo.obj")
    aabb = Aabb.around(mesh.vertices, 0.01)
    points, full = random_voxels(voxelise(mesh, aabb, (180, 200, 160)), aabb)
    igl = pytest.importorskip("igl", exc_type=ImportError)
    number = igl.fast_winding_number(mesh.vertices, mesh.faces, points)
    assert ((number > 0.5) == full).all()
    open3d = pytest.importorskip("open3d", exc_type=ImportError)
    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    inside = scene.compute_occupancy(points.astype(np.float32)).numpy() > 0.5
    assert (inside == full).mean() > 0.9999
