"""Radiance fields: the published parameter counts, and what a field promises its users."""

import pytest
import torch

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.networks import RadianceNerf
from fieldlr.fields.radiance import SURFACE_DENSITY, RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.activations import Relu
from fieldlr.nn.encodings import DenseGrid, Frequency, Identity
from fieldlr.nn.linears import Full, LowRank, SineLowRank

SPACE = Space("box", Aabb((-1.0, -2.0, -1.0), (1.0, 2.0, 1.0)))
SMALL = FieldConfig(encoding=DenseGrid(2, 2, 4, 8), activation=Relu(), width=32, depth=1)

# method.md's counts: the real encodings, and the inputs counted as 3 + 3.
COUNTS = {
    Frequency(10): [595_844, 7_712, 27_521, 51_966, 149_746, 293_404],
    Identity(): [562_052, 7_568, 26_274, 48_704, 138_424, 273_004],
}


def nerf(linear, encoding) -> FieldConfig:
    return FieldConfig(linear, encoding, Relu(), 256, 7, (5,), "nerf")


@pytest.mark.parametrize("kind", [LowRank, SineLowRank])
@pytest.mark.parametrize("encoding", COUNTS)
def test_published_parameter_counts(kind, encoding):
    linears = [Full(), *(kind(rank) for rank in (1, 5, 10, 30, 60))]
    networks = [RadianceNerf(nerf(linear, encoding), None) for linear in linears]
    counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert counts == COUNTS[encoding]


def test_the_original_has_a_coarse_and_a_fine_network():
    field = RadianceField(nerf(Full(), Frequency(10)), SPACE)
    assert field.num_parameters == 1_191_688


CONFIGS = {
    "grid": SMALL,
    "frequency": FieldConfig(SineLowRank(2), Frequency(4), activation=Relu(), width=32, depth=2),
    "nerf": FieldConfig(LowRank(2), Frequency(4), Relu(), 32, 3, (2,), "nerf"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_colours_densities_and_gradients(name, generator):
    field = RadianceField(CONFIGS[name], SPACE, generator=generator)
    points = torch.rand(50, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(50, 3, generator=generator), dim=-1)
    rgb, density = field.radiance(points, directions)
    assert rgb.shape == (50, 3) and density.shape == (50,)
    assert (rgb >= 0).all() and (rgb <= 1).all() and (density > 0).all()
    (rgb.sum() + density.sum()).backward()
    last = field.networks[-1]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in last.parameters())


def test_density_does_not_depend_on_the_direction(generator):
    field = RadianceField(SMALL, SPACE, generator=generator)
    points = torch.rand(20, 3, generator=generator)
    along, against = torch.eye(3)[0].expand(20, 3), -torch.eye(3)[0].expand(20, 3)
    with torch.no_grad():
        (one, a), (other, b) = field.radiance(points, along), field.radiance(points, against)
    assert torch.equal(a, b) and not torch.equal(one, other)


@pytest.mark.parametrize("linear", [Full(), LowRank(5), SineLowRank(5)])
def test_at_the_start_colours_tell_places_apart_and_hardly_directions(linear, generator):
    config = FieldConfig(linear, Frequency(10), Relu(), width=128, depth=3)
    field = RadianceField(config, SPACE, generator=generator)
    points = torch.rand(500, 3, generator=generator)
    directions = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=-1)
    with torch.no_grad():
        of_places = field.radiance(points, directions[:1].expand(500, 3))[0]
        of_directions = field.radiance(points[:1].expand(500, 3), directions)[0]
    assert of_places.std(0).mean() > 3.0 * of_directions.std(0).mean()


def test_level_is_zero_at_the_surface_density(generator):
    field = RadianceField(SMALL, SPACE, generator=generator)
    points = torch.rand(20, 3, generator=generator)
    with torch.no_grad():
        level, density = field.level(points), field.density(points)[0]
    assert torch.allclose(level.exp() * SURFACE_DENSITY, density, rtol=1e-4)
    field.cell_occupied[:] = False
    with torch.no_grad():
        assert (field.level(points) < 0.0).all()
    assert field.level_of(None) == 0.0
    assert field.level_of(SURFACE_DENSITY) == pytest.approx(0.0)


def test_inside_is_asked_in_the_users_frame(generator):
    frame = Similarity(scale=10.0, translation=(1.0, 2.0, 3.0))
    here = RadianceField(SMALL, SPACE, generator=torch.Generator().manual_seed(1))
    moved = RadianceField(SMALL, SPACE, frame, torch.Generator().manual_seed(1))
    points = torch.rand(20, 3, generator=generator)
    assert torch.allclose(here.inside(points), moved.inside(frame.apply(points)), atol=1e-5)
