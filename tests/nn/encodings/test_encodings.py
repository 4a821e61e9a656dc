"""Every encoding of the table: size, count, gradients; the grids also by what they must read."""

import math

import pytest
import torch

from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings import (
    ENCODINGS,
    Cp,
    DenseGrid,
    Frequency,
    HashGrid,
    Identity,
    RandomFourier,
    Tucker,
    Vm,
    spherical_harmonics,
)

SMALL = {
    "identity": Identity(),
    "frequency": Frequency(3),
    "random-fourier": RandomFourier(5, 2.0),
    "dense-grid": DenseGrid(num_levels=2, num_channels=2, coarsest=3, finest=5),
    "hash-grid": HashGrid(num_levels=3, coarsest=3, finest=17, log2_table_size=8),
    "cp": Cp(num_levels=2, num_channels=2, coarsest=2, finest=4),
    "vm": Vm(num_levels=2, num_channels=1, coarsest=2, finest=3),
    "tucker": Tucker(num_levels=2, num_channels=2, coarsest=2, finest=4),
}


def points(count: int, generator) -> torch.Tensor:
    return 2.0 * torch.rand(count, 3, generator=generator) - 1.0


@pytest.mark.parametrize("name", ENCODINGS)
def test_size_and_closed_form_count(name, generator):
    for config in (ENCODINGS[name](), SMALL[name]):
        encoding = config.build(3, generator)
        assert encoding(points(7, generator)).shape == (7, encoding.out_features)
        assert sum(p.numel() for p in encoding.parameters()) == config.num_parameters(3)


@pytest.mark.parametrize("name", ENCODINGS)
def test_same_seed_same_encoding(name, generator):
    x = points(5, generator)
    a, b = (SMALL[name].build(3, torch.Generator().manual_seed(3))(x) for _ in range(2))
    assert torch.equal(a, b)


@pytest.mark.parametrize("name", SMALL)
def test_gradient_in_points_and_table(name, generator):
    encoding = SMALL[name].build(3, generator).double()
    x = points(6, generator).double().requires_grad_()
    tables = [p.detach().clone().requires_grad_() for p in encoding.parameters()]
    names = [name for name, _ in encoding.named_parameters()]

    def encode(x, *tables):
        named = dict(zip(names, tables, strict=True))
        return torch.func.functional_call(encoding, named, (x,))

    assert torch.autograd.gradcheck(encode, (x, *tables))


def test_odd_number_of_channels_has_the_right_gradient(generator):
    encoding = DenseGrid(2, 3, 3, 4).build(3, generator).double()
    table = encoding.table.detach().clone().requires_grad_()
    x = points(6, generator).double()
    assert torch.autograd.gradcheck(
        lambda table: torch.func.functional_call(encoding, {"table": table}, (x,)), table
    )


def test_frequency_is_the_reference_order(generator):
    x = points(4, generator)
    expected = torch.cat(
        [x] + [f(2.0**i * x) for i in range(10) for f in (torch.sin, torch.cos)], -1
    )
    assert torch.allclose(Frequency(10).build(3)(x), expected, atol=1e-6)
    assert Frequency(10).build(3).out_features == 63
    assert Frequency(4).build(3).out_features == 27


@pytest.mark.parametrize("config", [DenseGrid(2, 2, 4, 7), HashGrid(2, 2, 4, 7)])
def test_grid_reads_back_a_linear_function(config, generator):
    """Trilinear reading is exact for a function that is linear along each axis."""
    encoding = config.build(3, generator)
    first = 0
    with torch.no_grad():
        for nodes in config.resolutions:
            axis = torch.linspace(-1.0, 1.0, nodes)
            z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
            values = torch.stack([x + 10.0 * y + 100.0 * z, x * y * z], -1).view(-1, 2)
            encoding.table[first : first + nodes**3] = values
            first += nodes**3
    p = points(50, generator)
    x, y, z = p.unbind(-1)
    expected = torch.stack([x + 10.0 * y + 100.0 * z, x * y * z], -1).repeat(1, 2)
    assert torch.allclose(encoding(p), expected, atol=1e-4)


def test_dense_grid_equals_grid_sample(generator):
    encoding = DenseGrid(1, 2, 9, 9).build(3, generator)
    p = 1.5 * points(64, generator)  # some outside: both read the nearest face
    volume = encoding.table.T.view(1, 2, 9, 9, 9)
    expected = torch.nn.functional.grid_sample(
        volume, p.view(1, -1, 1, 1, 3), align_corners=True, padding_mode="border"
    )
    assert torch.allclose(encoding(p), expected.view(2, -1).T, atol=1e-6)


def test_products_of_lines_and_planes_equal_grid_sample(generator):
    p = 1.5 * points(64, generator)  # some outside: both read the nearest node

    def sampled(rows, *axes):
        """A line or plane (rows, channels) at the points, by torch."""
        nodes = round(len(rows) ** (1 / len(axes)))
        image = rows.T.reshape(1, -1, *(nodes,) * len(axes), *(1,) * (len(axes) == 1))
        where = p[:, axes] if len(axes) == 2 else torch.stack([0 * p[:, 0], p[:, axes[0]]], 1)
        return torch.nn.functional.grid_sample(
            image, where.view(1, -1, 1, 2), align_corners=True, padding_mode="border"
        ).view(rows.shape[1], -1)

    cp = Cp(1, 4, 9, 9).build(3, generator)
    x, y, z = cp.table.split(9)
    assert torch.allclose(cp(p).T, sampled(x, 0) * sampled(y, 1) * sampled(z, 2), atol=1e-6)
    vm = Vm(1, 4, 6, 6).build(3, generator)
    xy, z, xz, y, yz, x = vm.table.split([36, 6] * 3)
    terms = [
        sampled(xy, 0, 1) * sampled(z, 2),
        sampled(xz, 0, 2) * sampled(y, 1),
        sampled(yz, 1, 2) * sampled(x, 0),
    ]
    assert torch.allclose(vm(p).T, torch.cat(terms), atol=1e-6)
    tucker = Tucker(1, 3, 9, 9).build(3, generator)
    x, y, z = (sampled(rows, axis) for axis, rows in enumerate(tucker.table.split(9)))
    every = torch.einsum("in,jn,kn->ijkn", x, y, z).flatten(0, 2)
    assert torch.allclose(tucker(p).T, every, atol=1e-6)


def test_chunks_do_not_change_the_result(generator):
    encoding = DenseGrid(2, 2, 4, 8).build(3, generator)
    p = points(10_000, generator)
    encoding(p).sum().backward()
    assert torch.equal(encoding(p)[5000:5010], encoding(p[5000:5010]))
    # Trilinear weights add up to 1, so each level and channel hands on one unit a point.
    assert math.isclose(encoding.table.grad.sum().item(), 4 * 10_000, rel_tol=1e-4)


def test_spherical_harmonics_are_orthonormal():
    generator = torch.Generator().manual_seed(0)
    d = torch.nn.functional.normalize(torch.randn(400_000, 3, generator=generator), dim=-1)
    values = spherical_harmonics(d)
    gram = 4.0 * math.pi * values.T @ values / len(d)
    assert (gram - torch.eye(16)).abs().max() < 0.03


@pytest.mark.parametrize(
    "make",
    [
        lambda: Frequency(-1),
        lambda: Frequency(0, include_input=False),
        lambda: DenseGrid(num_levels=0),
        lambda: DenseGrid(coarsest=32, finest=16),
        lambda: HashGrid(log2_table_size=40),
    ],
)
def test_invalid_options_are_refused_with_a_reason(make):
    with pytest.raises(FieldlrError, match="got"):
        make()


def test_random_fourier_features_are_waves_of_the_given_spread(generator):
    encoding = RandomFourier(2000, 3.0).build(3)
    assert encoding.directions.std().item() == pytest.approx(3.0, rel=0.05)
    x = points(9, generator)
    sines, cosines = encoding(x).chunk(2, 1)
    assert torch.allclose(sines.square() + cosines.square(), torch.ones(()), atol=1e-5)
    # The mean of cos(B (x - y)) over many B is a Gaussian kernel.
    kernel = (sines @ sines.T + cosines @ cosines.T) / 2000
    expected = torch.exp(-4.5 * (x[:, None] - x).square().sum(-1))
    assert (kernel - expected).abs().max() < 0.1


@pytest.mark.parametrize("options", [(0, 6.0), (2.5, 6.0), (8, 0.0), (8, math.inf)])
def test_random_fourier_options_out_of_bounds(options):
    with pytest.raises(FieldlrError, match=r"num_frequencies|radians"):
        RandomFourier(*options)
