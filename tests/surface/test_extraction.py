"""Laws of surfaces: closed, outward, where they should be, and the same coarse to fine."""

import numpy as np
import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.surface import extract, marching, refinement

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))


@pytest.fixture(autouse=True, params=["mcubes", "skimage.measure"])
def cubes(request, monkeypatch):
    """Every law holds by both packages that cut cells into triangles."""
    pytest.importorskip(request.param)
    cut = {"mcubes": marching.by_pymcubes, "skimage.measure": marching.by_scikit_image}
    monkeypatch.setattr(marching, "cut", cut[request.param])


def sphere(points):
    return 0.7 - points.norm(dim=-1)


def torus(points):
    ring = points[:, :2].norm(dim=-1) - 0.5
    return 0.2 - torch.hypot(ring, points[:, 2])


def gyroid(points):
    phase = 7.0 * points
    waves = (phase.sin() * phase[:, [1, 2, 0]].cos()).sum(-1)
    return torch.minimum(waves, 4.0 * (0.9 - points.norm(dim=-1)))


def antenna(points):
    """A ball with a long wire: three fine cells at 140 samples, thinner than a coarse cell of 4."""
    ball = 0.25 - (points - points.new_tensor([-0.6, 0.0, 0.0])).norm(dim=-1)
    radial = torch.hypot(points[:, 1] - 0.003, points[:, 2] - 0.003)
    return torch.maximum(ball, torch.minimum(0.0216 - radial, 0.9 - points[:, 0].abs()))


def signed_volume(mesh):
    return np.linalg.det(mesh.vertices[mesh.faces]).sum() / 6


def test_sphere_is_watertight_outward_and_in_place():
    mesh = extract(sphere, BOX, 100).mesh
    assert mesh.is_watertight
    assert mesh.euler_number == 2
    assert signed_volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=2e-3)
    radii = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(radii - 0.7).max() < 0.01 * (2 / 99)
    assert abs(mesh.vertices.mean(0)).max() < 1e-4


@pytest.mark.parametrize("level", [sphere, torus, gyroid, antenna])
def test_coarse_to_fine_equals_dense_triangle_for_triangle(monkeypatch, level):
    monkeypatch.setattr(refinement, "COARSEST_SAMPLES", 32)
    fine, dense = extract(level, BOX, 140), extract(level, BOX, 140, dense=True)
    assert dense.evaluations == 140**3
    assert fine.evaluations < 0.6 * dense.evaluations
    assert np.array_equal(fine.mesh.vertices, dense.mesh.vertices)
    assert np.array_equal(fine.mesh.faces, dense.mesh.faces)
    assert fine.mesh.is_watertight


def test_three_strides_stay_under_an_eighth():
    result = extract(sphere, BOX, 260)
    assert result.evaluations < 260**3 / 8
    assert result.mesh.is_watertight and result.mesh.euler_number == 2


@pytest.mark.parametrize("dense", [True, False])
def test_slabs_are_welded(monkeypatch, dense):
    monkeypatch.setattr(refinement, "COARSEST_SAMPLES", 32)
    whole = extract(gyroid, BOX, 70, dense=dense).mesh
    monkeypatch.setattr(refinement, "SLAB_SAMPLES", 70 * 70 * 5)
    slabs = extract(gyroid, BOX, 70, dense=dense).mesh
    assert slabs.is_watertight
    assert slabs.euler_number == whole.euler_number
    assert len(np.unique(slabs.vertices, axis=0)) == len(slabs.vertices) == len(whole.vertices)
    corners = [np.sort(m.vertices[m.faces].sum(1).round(9), axis=0) for m in (slabs, whole)]
    assert np.allclose(*corners)


def test_noise_closes_and_welds(monkeypatch, generator):
    """Every case of the cubes, ambiguous ones too, and values that tie with the level."""
    monkeypatch.setattr(refinement, "SLAB_SAMPLES", 20 * 20 * 3)

    def noise(points):
        return torch.randint(-2, 3, (len(points),), generator=generator).float()

    mesh = extract(noise, BOX, 20).mesh
    assert len(mesh.faces) > 5000
    assert mesh.is_watertight


def test_a_shape_that_the_box_cuts_closes_on_its_faces():
    box = Aabb((-0.5, -1.0, -0.6), (0.5, 1.0, 1.0))
    mesh = extract(sphere, box, 101).mesh
    assert mesh.is_watertight and mesh.euler_number == 2
    assert mesh.vertices[:, 0].min() == pytest.approx(-0.5, abs=1e-9)
    assert mesh.vertices[:, 0].max() == pytest.approx(0.5, abs=1e-9)
    assert mesh.vertices[:, 2].min() == pytest.approx(-0.6, abs=1e-9)


def test_offset_moves_the_surface():
    mesh = extract(sphere, BOX, 64, offset=0.2).mesh
    assert abs(np.linalg.norm(mesh.vertices, axis=1) - 0.5).max() < 0.02 * (2 / 63)


def test_infinite_levels_and_a_full_box():
    """log(density) of empty space is minus infinity; a field may be full everywhere."""
    mesh = extract(lambda p: torch.where(p[:, 0] > 0.3, -torch.inf, torch.inf), BOX, 40).mesh
    assert mesh.is_watertight and signed_volume(mesh) == pytest.approx(4 * 1.3, rel=0.03)


def test_an_empty_field_gives_an_empty_mesh():
    result = extract(lambda p: -torch.ones(len(p)), BOX, 150)
    assert result.mesh.vertices.shape == (0, 3) and result.mesh.faces.shape == (0, 3)
    assert not result.mesh.is_watertight and result.mesh.euler_number == 0


def test_errors_say_what_to_do():
    with pytest.raises(FieldlrError, match="NaN"):
        extract(lambda p: p[:, 0] / 0 * 0, BOX, 10)
    with pytest.raises(FieldlrError, match="resolution"):
        extract(sphere, BOX, 1)
    with pytest.raises(FieldlrError, match="box"):
        extract(sphere, Aabb((0.0, 0.0, 0.0), (1.0, 0.0, 1.0)), 10)


def test_the_statue_equals_its_dense_reading(data_dir):
    """The Thai statue, blurred by a voxel: columns, tusks and openings a few voxels wide."""
    from scipy.ndimage import gaussian_filter

    with np.load(data_dir / "volumes" / "thai_statue.npz", allow_pickle=False) as file:
        shape = tuple(file["shape"])
        voxels = np.unpackbits(file["packed"])[: np.prod(shape)].reshape(shape)
    volume = torch.from_numpy(gaussian_filter(voxels.astype(np.float32), 1.0))[None, None]
    box = Aabb((0.0, 0.0, 0.0), tuple(float(n) for n in shape))

    def level(points):
        grid = box.to_unit(points)[:, [2, 1, 0]][None, :, None, None]
        return torch.nn.functional.grid_sample(volume, grid, align_corners=False).ravel() - 0.5

    fine, dense = extract(level, box, 160), extract(level, box, 160, dense=True)
    assert np.array_equal(fine.mesh.vertices, dense.mesh.vertices)
    assert np.array_equal(fine.mesh.faces, dense.mesh.faces)
    assert fine.evaluations < 0.4 * dense.evaluations


def test_both_packages_put_the_same_vertices_and_volume(monkeypatch):
    pytest.importorskip("mcubes")
    meshes = []
    for cut in (marching.by_pymcubes, marching.by_scikit_image):
        monkeypatch.setattr(marching, "cut", cut)
        meshes.append(extract(gyroid, BOX, 60).mesh)
    one, other = (np.unique(mesh.vertices.round(6), axis=0) for mesh in meshes)
    assert np.allclose(one, other, atol=1e-6)
    volumes = [signed_volume(mesh) for mesh in meshes]
    assert volumes[0] == pytest.approx(volumes[1], rel=1e-3)
