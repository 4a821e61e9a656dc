"""Shape networks: published counts, configs that come back, the engine's route against plain."""

import math

import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.nn.encodings import Frequency
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.nn.mlp import Mlp

SPACE = Space("box", Aabb((0.0, 0.0, 0.0), (4.0, 2.0, 1.0)))


def test_published_counts_of_the_shape_network():
    assert OccupancyField(FieldConfig(), SPACE).num_parameters == 132_865
    for kind in (LowRank, SineLowRank):
        counts = [
            OccupancyField(FieldConfig(linear=kind(k)), SPACE).num_parameters for k in (1, 2, 5, 20)
        ]
        assert counts == [2_817, 3_841, 6_913, 22_273]


@pytest.mark.parametrize("width, count", [(36, 2_845), (42, 3_823), (57, 6_898), (104, 22_361)])
def test_narrow_dense_networks_of_equal_size(width, count):
    assert OccupancyField(FieldConfig(width=width), SPACE).num_parameters == count


@pytest.mark.parametrize("linear", [Full(), LowRank(3), SineLowRank(3), SineLowRank(3, 50.0)])
def test_config_goes_through_json(linear):
    config = FieldConfig(linear=linear, encoding=Frequency(), width=64, depth=3, skips=(2,))
    assert FieldConfig.from_json(config.to_json()) == config


def test_a_field_says_what_it_is():
    field = OccupancyField(FieldConfig(width=36), SPACE)
    assert repr(field) == "OccupancyField(box (0, 0, 0) to (4, 2, 1), 2,845 parameters)"


def test_config_of_a_newer_version_is_refused():
    plain = FieldConfig().to_json()
    plain["linear"] = {"kind": "cubic"}
    with pytest.raises(FieldlrError, match="cubic"):
        FieldConfig.from_json(plain)


@pytest.mark.parametrize("linear", [Full(), LowRank(3), SineLowRank(3)])
@pytest.mark.parametrize("skips", [(), (2,)])
@pytest.mark.parametrize("ends", [False, True])
def test_the_engine_computes_what_the_layers_do(linear, skips, ends, generator):
    config = FieldConfig()
    mlp = Mlp(
        9,
        2,
        linear=linear,
        activation=config.activation,
        width=32,
        depth=3,
        skips=skips,
        factorise_ends=ends,
        generator=generator,
    ).double()
    x = torch.randn(50, 9, generator=generator, dtype=torch.float64)
    h = x
    for index, layer in enumerate(mlp.linears):
        h = layer(torch.cat([h, x], 1) if index in skips else h)
        h = h if index == 4 else config.activation(h)
    assert torch.allclose(mlp(x), h, rtol=1e-10, atol=1e-12)


def test_weights_are_materialised_once_a_session(generator):
    field = OccupancyField(FieldConfig(linear=SineLowRank(2)), SPACE, generator=generator)
    with torch.no_grad():
        first = field.layers()
        assert field.layers() is first
        field.mlp.linears[1].U.mul_(0.5)
        assert field.layers() is not first


def test_a_fused_optimiser_ends_the_session(generator):
    field = OccupancyField(FieldConfig(linear=SineLowRank(2)), SPACE, generator=generator)
    optimizer = torch.optim.Adam(field.parameters(), lr=0.1, fused=True)
    points = torch.rand(8, 3, generator=generator)
    with torch.no_grad():
        before = field.level(points)
    field.level(points).sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert not torch.equal(field.level(points), before)


def test_a_network_without_any_factorised_layer_is_refused():
    with pytest.raises(FieldlrError, match="rank"):
        OccupancyField(FieldConfig(linear=SineLowRank(300)), SPACE)


def test_threshold_is_a_probability():
    field = OccupancyField(FieldConfig(width=8), SPACE)
    assert field.level_of(None) == 0.0
    assert field.level_of(0.25) == pytest.approx(-math.log(3.0))
    with pytest.raises(FieldlrError, match="threshold"):
        field.level_of(1.0)


def test_a_config_says_omega_in_radians():
    config = FieldConfig(linear=SineLowRank(5))
    plain = config.to_json()
    assert plain["linear"]["omega"] == "4 rad" and FieldConfig.from_json(plain) == config
    plain["linear"]["rank"] = 0
    with pytest.raises(FieldlrError):
        FieldConfig.from_json(plain)
