"""Meshes of fields of photos: fused in every space, cropped, off their floor, coloured."""

import numpy as np
import pytest
import torch
import trimesh

from fieldlr.errors import FieldlrError
from fieldlr.export import write_mesh
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.networks import RadianceNetwork
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid
from fieldlr.rendering.paths import orbit
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.viewpoints import Viewpoints, _joined
from fieldlr.surface import cleaning

BOX = Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
FRAME = Similarity(((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), 2.0, (5.0, 1.0, 0.0))
SIZE = (40, 40)


class Scene(RadianceNetwork):
    """A ball of radius 0.4 whose upper half is red, the lower one blue; with a floor, on it."""

    def __init__(self, space, floor=False):
        super().__init__()
        self.space, self.floor = space, floor

    def density(self, unit, noise=0.0, generator=None):
        # Contracted: within the ball of radius 1, half of the world's coordinates.
        points = 2.0 * unit if self.space == "contracted" else unit
        dense = points.norm(dim=-1) < 0.4
        if self.floor:
            flat = (points[:, 2] + 0.45).abs() < 0.06
            dense |= flat & (points[:, :2].norm(dim=-1) < 0.8)
        return 200.0 * dense, points

    def color(self, features, directions):
        red = (features[:, 2:] > 0.0).float()
        return torch.cat([red, torch.zeros_like(red), 1.0 - red], 1)

    def forward(self, unit, directions, noise=0.0, generator=None):
        density, features = self.density(unit)
        return self.color(features, directions), density


def made(kind="box", floor=False, frame=None):
    space = Space(kind, BOX, near=0.05)
    config = FieldConfig(encoding=DenseGrid(1, 2, 2, 4), activation=Relu(), width=8, depth=1)
    field = RadianceField(config, space, frame)
    field.networks = torch.nn.ModuleList([Scene(kind, floor)])
    rings = [orbit((0.0, 0.0, 0.0), 2.5, h, 6, 42.0, SIZE, 10.0 * h) for h in (-50, 0, 50)]
    return field, Viewpoints(_joined(rings[0], rings[1:]), (0.0, 0.0, 0.0))


def mesh_of(kind="box", floor=False, frame=None, **options):
    field, views = made(kind, floor, frame)
    return make_mesh(field, MeshOptions.of(**{"resolution": 32, **options}), views)


@pytest.mark.parametrize("kind", ["box", "contracted"])
def test_a_ball_is_fused_where_it_is(kind):
    mesh = mesh_of(kind, holes="closed", largest=True).mesh
    assert mesh.is_watertight
    assert abs(np.linalg.norm(mesh.vertices, axis=1) - 0.4).max() < 2 * 2.0 / 31
    top, bottom = mesh.vertices[:, 2] > 0.15, mesh.vertices[:, 2] < -0.15
    assert abs(mesh.colors[top] - [255.0, 0.0, 0.0]).mean() < 8.0
    assert abs(mesh.colors[bottom] - [0.0, 0.0, 255.0]).mean() < 8.0


def test_forward_facing_scenes_are_fused_in_their_frustum():
    """A slab of the cube of ndc, z = 1 - 2 / depth from 0 to 0.2, is a wall 2 to 2.5 away."""

    class Wall(Scene):
        def density(self, unit, noise=0.0, generator=None):
            return 400.0 * ((unit[:, 2] > 0.0) & (unit[:, 2] < 0.2)), unit

    space = Space("ndc", Aabb((-8.0, -8.0, -8.0), (8.0, 8.0, -1.0)), near=1.0)
    field, _ = made()
    field.space, field.networks = space, torch.nn.ModuleList([Wall("ndc")])
    ahead = orbit((0.0, 0.0, 0.0), 1.0, 0.0, 1, 50.0, SIZE)
    poses = torch.eye(3, 4).repeat(9, 1, 1)
    poses[:, :2, 3] = torch.cartesian_prod(*[torch.tensor([-0.2, 0.0, 0.2])] * 2)
    cameras = _joined(ahead, [ahead] * 8)
    cameras = type(cameras)(poses, cameras.intrinsics, cameras.sizes, cameras.distortion)
    mesh = make_mesh(field, MeshOptions(resolution=48), Viewpoints(cameras, None)).mesh
    assert not mesh.is_watertight
    assert np.quantile(abs(mesh.vertices[:, 2] + 2.0), 0.9) < 0.06


def test_a_crop_applies_to_the_fused_mesh_of_an_unbounded_scene():
    low, high = (-0.5, -0.5, 0.0), (0.5, 0.1, 0.5)
    vertices = mesh_of("contracted", crop=(*low, *high)).mesh.vertices
    assert (vertices >= np.array(low) - 1e-6).all() and (vertices <= np.array(high) + 1e-6).all()
    assert np.ptp(vertices[:, 0]) > 0.7


def test_a_mesh_is_scaled_and_given_an_up_axis():
    plain, made = mesh_of(frame=FRAME).mesh, mesh_of(frame=FRAME, scale=1000.0, up="y").mesh
    assert np.allclose(made.vertices, 1000.0 * plain.vertices)
    assert np.allclose(made.up, (0.0, 1.0, 0.0))


def test_a_missing_package_is_named_before_the_work(monkeypatch):
    monkeypatch.setattr(cleaning, "find_spec", lambda name: None)
    # The work would end in another error: there is no surface at this level.
    with pytest.raises(FieldlrError, match="fast-simplification, which is not installed"):
        mesh_of(faces=100, threshold=1e9)


def test_a_crop_keeps_exactly_the_inside():
    whole = mesh_of(frame=FRAME).mesh
    crop = (4.0, 0.0, 0.0, 6.5, 2.0, 3.0)
    cropped = mesh_of(frame=FRAME, crop=crop).mesh
    assert cropped.is_watertight
    low, high = np.array(crop[:3]), np.array(crop[3:])
    assert (cropped.vertices >= low - 1e-6).all() and (cropped.vertices <= high + 1e-6).all()
    inside = ((whole.vertices > low) & (whole.vertices < high)).all(1)
    assert 0 < inside.sum() < len(inside)
    from scipy.spatial import KDTree

    away, _ = KDTree(cropped.vertices).query(whole.vertices[inside])
    assert away.max() < 2 * 4.0 / 31
    opened = mesh_of(frame=FRAME, crop=crop, holes="left").mesh
    assert not opened.is_watertight and len(opened.faces) < len(cropped.faces)


def test_a_floor_is_found_and_removed():
    field, views = made(floor=True, frame=FRAME)
    result = make_mesh(field, MeshOptions(resolution=64, remove_floor=True), views)
    assert np.degrees(np.arccos(min(1.0, result.floor.normal[2]))) < 1.0
    assert result.floor.offset == pytest.approx(2.0 * -0.39, abs=0.1)
    assert result.mesh.is_watertight
    assert result.mesh.vertices[:, 2].min() > result.floor.offset
    assert result.mesh.vertices[:, 2].max() == pytest.approx(0.8, abs=0.1)
    # What is left is the ball: nothing of the floor around it.
    assert np.hypot(*(result.mesh.vertices[:, :2] - [5.0, 1.0]).T).max() < 1.0


def test_a_picture_has_the_colours_of_the_vertices(tmp_path):
    mesh = mesh_of(texture=256, faces=2000).mesh
    plain = mesh_of(faces=2000).mesh
    places = np.clip((mesh.texture.corners * 256).astype(int), 0, 255)
    seen = mesh.texture.image[places[..., 1], places[..., 0]].astype(float)
    apart = abs(seen - plain.colors[plain.faces]).max(-1)
    away = abs(mesh.vertices[mesh.faces][..., 2]) > 0.1  # from where red meets blue
    assert np.quantile(apart[away], 0.98) < 16
    for suffix in (".glb", ".obj"):
        path = tmp_path / f"ball{suffix}"
        write_mesh(mesh, path)
        back = trimesh.load(path, force="mesh", process=False)
        assert len(back.faces) == len(mesh.faces)
        image = np.asarray(
            back.visual.material.baseColorTexture
            if suffix == ".glb"
            else back.visual.material.image
        )[..., :3]
        # Wherever a reader counts rows from, a corner has to find its colour.
        x, y = back.visual.uv[back.faces].transpose(2, 0, 1)
        column, row = (x * 256).astype(int), ((1.0 - y) * 256).astype(int)
        found = image[row.clip(0, 255), column.clip(0, 255)].astype(float)
        assert abs(found - seen).mean() < 4.0
    with pytest.raises(FieldlrError, match="texture"):
        write_mesh(mesh, tmp_path / "ball.stl")


def test_a_threshold_extracts_an_isosurface_of_the_field():
    field, views = made()
    by_level = make_mesh(field, MeshOptions(resolution=48, threshold=50.0), views).mesh
    alone = make_mesh(field, MeshOptions(resolution=48, threshold=50.0)).mesh
    assert np.array_equal(by_level.vertices, alone.vertices) and alone.is_watertight


@pytest.mark.parametrize(
    "options, words",
    [
        ({"crop": (1.0, 0.0, 0.0, 0.5, 1.0, 1.0)}, "every lower value is below"),
        ({"crop": "1 2 3"}, "a box"),
        ({"crop": (7.0, 7.0, 7.0, 8.0, 8.0, 8.0)}, "outside of the scene"),
        ({"crop": (0.7, 0.7, 0.7, 0.9, 0.9, 0.9)}, "no surface in the box"),
        ({"remove_floor": True, "crop": (-0.3, -0.3, -0.45, 0.3, 0.3, 0.0)}, "no floor|surface"),
        ({"holes": "maybe"}, "closed, left"),
    ],
)
def test_invalid_options_are_refused(options, words):
    with pytest.raises(FieldlrError, match=words):
        mesh_of(**options)
