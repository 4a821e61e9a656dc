"""A field comes back from its bytes: every number exactly as it was rounded, and all around it."""

import math

import pytest
import torch

from fieldlr import codec
from fieldlr.codec import bit_allocation, quantisation, sensitivity
from fieldlr.codec.cells import EMPTY_DENSITY, mark_occupied
from fieldlr.codec.levels import stepped
from fieldlr.codec.units import hidden_layers, sort_units
from fieldlr.errors import FieldlrError
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.nn.encodings import DenseGrid, Frequency, HashGrid
from fieldlr.nn.linears import SineLowRank
from tests.codec import fields


def stored(field, chosen: dict[str, int]) -> dict[str, torch.Tensor]:
    """A field's tensors rounded to their steps, in the order that a file has."""
    whole = {name: quantisation.quantise(p, chosen[name]) for name, p in stepped(field).items()}
    for hidden in hidden_layers(field):
        sort_units(hidden, whole)
    return {name: quantisation.dequantise(values, chosen[name]) for name, values in whole.items()}


def says(field, count: int = 200) -> torch.Tensor:
    """What a field says at some points of its box: levels, and colours where it has them."""
    generator = torch.Generator().manual_seed(1)
    points = field.aabb.from_unit(torch.rand(count, 3, generator=generator) * 2 - 1)
    with torch.no_grad():
        if isinstance(field, OccupancyField):
            return field.level(points)[:, None]
        unit = field.space.contract(points)
        directions = torch.nn.functional.normalize(points - points.mean(0), dim=-1)
        return torch.cat(
            [
                torch.cat([c, d[:, None]], 1)
                for c, d in (n(unit, directions) for n in field.networks)
            ],
            1,
        )


@pytest.mark.parametrize(
    "linear, encoding",
    [
        *((linear, encoding) for linear in fields.LINEARS for encoding in fields.ENCODINGS[:6]),
        *((fields.FULL, encoding) for encoding in fields.ENCODINGS[6:]),
        *((linear, fields.IDENTITY) for linear in fields.NEWER),
    ],
    ids=str,
)
def test_every_parameter_decodes_to_its_quantised_value(linear, encoding):
    place = (fields.LINEARS + fields.NEWER).index(linear) + fields.ENCODINGS.index(encoding)
    for activation, skips in (
        (fields.ACTIVATIONS[place % len(fields.ACTIVATIONS)], ()),
        (fields.ACTIVATIONS[(place + 2) % len(fields.ACTIVATIONS)], (2,)),
    ):
        field = fields.shape(linear, encoding, activation, skips=skips)
        chosen = bit_allocation.quantisation_steps(field, 5.0)
        data = codec.encode(field, steps=chosen)
        decoded = codec.decode(data)
        assert decoded.config == field.config
        expected = stored(field, chosen)
        for name, parameter in stepped(decoded).items():
            assert torch.equal(parameter, expected[name]), name
        assert codec.encode(decoded, steps=chosen) == data
        # Another order of the units, and other signs, say the same.
        same = codec.decode(codec.encode(field, 16.0))
        torch.testing.assert_close(says(same), says(field), rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("space", ["box", "ndc", "contracted"])
@pytest.mark.parametrize(
    "make",
    [
        lambda space: fields.radiance(space=space),
        lambda space: fields.radiance(linear=SineLowRank(2), space=space),
        lambda space: fields.radiance(DenseGrid(2, 2, 4, 9), space=space),
        lambda space: fields.radiance(HashGrid(2, 2, 4, 9, 8), space=space),
        lambda space: fields.radiance(
            Frequency(2), SineLowRank(2), 0, space, network="nerf", skips=(2,)
        ),
    ],
    ids=["mlp", "sine-low-rank", "dense-grid", "hash-grid", "nerf"],
)
def test_a_radiance_field_comes_back_with_all_that_renders_it(make, space):
    field = make(space)
    decoded, about = codec.unpack(codec.encode(field, 16.0, fields.PHOTOS))
    assert isinstance(decoded, RadianceField)
    assert decoded.frame.rotation == field.frame.rotation
    assert decoded.frame.scale == field.frame.scale
    assert decoded.frame.translation == pytest.approx(field.frame.translation, rel=1e-6)
    assert decoded.space.kind == field.space.kind
    assert (decoded.space.near, decoded.space.far) == pytest.approx(
        (field.space.near, field.space.far)
    )
    assert decoded.space.ndc_focal == field.space.ndc_focal
    assert decoded.aabb.minimum == pytest.approx(field.aabb.minimum, rel=1e-6)
    assert bool(decoded.cell_occupied.all())
    torch.testing.assert_close(says(decoded), says(field), rtol=1e-2, atol=5e-3)
    assert (about.kind, about.reading, about.content_hash) == ("photos", 4, "01234567")
    assert about.background == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("encoding", [DenseGrid(3, 2, 8, 90), HashGrid(2, 2, 16, 70, 12)], ids=str)
def test_occupied_cells_are_kept_and_unused_table_rows_are_0(encoding):
    field = fields.with_ball(fields.radiance(encoding, space="contracted"))
    data = codec.encode(field, 16.0, fields.PHOTOS)
    decoded = codec.decode(data)
    assert torch.equal(decoded.cell_occupied, field.cell_occupied)
    table = decoded.networks[0].encoding.table
    assert 0.05 < (table == 0.0).all(1).float().mean() < 0.98
    inside = torch.nn.functional.normalize(torch.randn(300, 3), dim=-1) * torch.rand(300, 1) * 0.39
    directions = torch.nn.functional.normalize(torch.randn(300, 3), dim=-1)
    with torch.no_grad():
        before, after = (f.networks[0](inside, directions) for f in (field, decoded))
    torch.testing.assert_close(after[0], before[0], rtol=1e-2, atol=5e-3)
    torch.testing.assert_close(after[1], before[1], rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("limit", [0.5 * EMPTY_DENSITY, EMPTY_DENSITY, 3.0 * EMPTY_DENSITY])
def test_a_field_without_a_table_is_asked_where_it_is_dense(limit):
    field = fields.radiance()
    network = field.networks[0]
    with torch.no_grad():
        # The density is an exponential: half of the cube comes to lie below the limit.
        network.trunk.linears[-1].weight[0] *= 30.0
        middle = float(network.density(torch.rand(999, 3) * 2.0 - 1.0)[0].median())
        network.trunk.linears[-1].bias[0] += math.log(limit / middle)
    mark_occupied(field, limit)
    assert 0.2 < field.cell_occupied.float().mean() < 0.8
    # Some cells are empty for no reason: the others still say what the limit was.
    field.cell_occupied[::7] = False
    kept = codec.decode(codec.encode(field, 16.0, fields.PHOTOS)).cell_occupied
    unit = (kept.nonzero().flip(-1) + 0.5) / 32.0 - 1.0
    with torch.no_grad():
        least = float(network.density(unit)[0].min())
    assert least == pytest.approx(limit, rel=0.07)  # A limit is stored to three binary digits.


def test_a_field_whose_cells_are_all_empty_is_seen_everywhere():
    field = fields.radiance(DenseGrid(2, 2, 4, 9))
    field.cell_occupied.zero_()
    assert bool(codec.decode(codec.encode(field, 6.0, fields.PHOTOS)).cell_occupied.all())


BOXES = {
    "whole": (Aabb((0.0,) * 3, (303.0, 511.0, 261.0)), 6),
    "float32": (fields.BOX, 24),
    "float64": (Aabb((4e5, 5e6, 0.0), (4e5 + 1.1, 5e6 + 1.7, 2.3)), 48),
}


@pytest.mark.parametrize("name", BOXES)
def test_a_box_takes_the_bytes_that_it_needs(name):
    (box, num_bytes), field = BOXES[name], fields.shape()
    field.space = Space("box", box)
    chosen = dict.fromkeys(stepped(field), 200)
    data = codec.encode(field, steps=chosen)
    decoded = codec.decode(data).aabb
    edge = min(box.size)
    for before, after in zip(
        (*box.minimum, *box.maximum), (*decoded.minimum, *decoded.maximum), strict=True
    ):
        assert abs(before - after) <= 1e-6 * edge
    field.space = Space("box", BOXES["whole"][0])
    assert len(data) - len(codec.encode(field, steps=chosen)) == num_bytes - 6


@pytest.mark.parametrize("model", ["perspective", "fisheye"])
@pytest.mark.parametrize("same", [True, False])
def test_cameras_come_back(model, same):
    cameras = fields.cameras(5, model, same)
    about = codec.About("photos", "00" * 32, None, None, cameras)
    _, about = codec.unpack(codec.encode(fields.radiance(), 4.0, about))
    found = about.cameras
    assert (found.model, about.reading, about.background) == (model, None, (0.0, 0.0, 0.0))
    assert torch.equal(found.sizes, cameras.sizes)
    assert torch.equal(found.intrinsics, cameras.intrinsics)
    assert torch.equal(found.distortion, cameras.distortion)
    torch.testing.assert_close(found.camera_to_world, cameras.camera_to_world, rtol=0, atol=1e-4)


def test_few_cameras_are_spread_over_the_held_out_ones():
    cameras = fields.cameras(40)
    chosen = tuple(range(0, 40, 2))
    kept = codec.subset_cameras(cameras, chosen)
    assert len(kept) == 8
    positions = kept.camera_to_world[:, 0, 3] - 3.0
    assert positions.tolist() == [0.0, 4.0, 10.0, 14.0, 20.0, 24.0, 30.0, 34.0]
    assert len(codec.subset_cameras(cameras, ())) == 8
    assert len(codec.subset_cameras(cameras, (7,))) == 1


def test_encoding_is_deterministic_and_leaves_the_field_alone():
    field = fields.with_ball(fields.radiance(DenseGrid(2, 2, 4, 9)))
    before = {name: value.clone() for name, value in field.state_dict().items()}
    assert codec.encode(field, 6.0, fields.PHOTOS) == codec.encode(field, 6.0, fields.PHOTOS)
    for name, value in field.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    "linear, bits",
    [
        *((linear, bits) for linear in fields.LINEARS for bits in (3.5, 5.0, 8.0)),
        *((linear, 5.0) for linear in fields.NEWER),
    ],
    ids=str,
)
def test_parameters_take_the_requested_bits(linear, bits):
    field = fields.shape(linear, width=64)
    whole = len(codec.encode(field, bits))
    coarse = len(codec.encode(field, steps=dict.fromkeys(stepped(field), 255)))
    # With steps so large that every number is 0, what is left is the rest of the file.
    rest = coarse - 2 * len(list(field.parameters()))
    assert 8 * (whole - rest) / field.num_parameters == pytest.approx(bits, rel=0.03)


@pytest.mark.parametrize("linear", fields.LINEARS, ids=str)
def test_without_bits_a_file_says_almost_the_same(linear):
    field = fields.shape(linear, width=64)
    decoded = codec.decode(codec.encode(field))
    moved = float((says(decoded, 4000) - says(field, 4000)).square().mean().sqrt())
    assert 0.3 * bit_allocation.LOGIT_ERROR < moved < 2.0 * bit_allocation.LOGIT_ERROR


def test_sensitivities_grow_with_omega():
    gentle, wild = (
        sensitivity.sensitivities(fields.shape(SineLowRank(2, omega), depth=1, width=64))
        for omega in (5.0, 40.0)
    )
    for name in ("mlp.linears.1.U", "mlp.linears.1.V"):
        assert wild[name] > 4.0 * gentle[name]


@pytest.mark.parametrize("bits", [0.1, 17.0, float("nan")])
def test_bits_have_limits(bits):
    with pytest.raises(FieldlrError, match=r"0\.25 to 16 bits"):
        codec.encode(fields.shape(), bits)


def test_fields_beyond_the_limits_of_the_format_are_refused():
    field = fields.shape()
    with torch.no_grad():
        field.mlp.linears[0].weight[0, 0] = torch.nan
    with pytest.raises(FieldlrError, match="infinite"):
        codec.encode(field)
    with pytest.raises(FieldlrError, match="depth 65"):
        codec.encode(fields.shape(depth=65, width=4))
    with pytest.raises(FieldlrError, match="16 skips"):
        codec.encode(fields.shape(depth=20, width=4, skips=tuple(range(1, 17))))
    with pytest.raises(FieldlrError, match="0 to 4096; got 5000"):
        codec.encode(fields.shape(encoding=HashGrid(1, 1, 2, 5000, 4)))
    with pytest.raises(FieldlrError, match="of kind mesh"):
        codec.encode(fields.radiance(), 4.0, codec.About("mesh"))
    with pytest.raises(FieldlrError, match="8 cameras"):
        codec.encode(fields.radiance(), 4.0, codec.About("photos", cameras=fields.cameras(9)))
