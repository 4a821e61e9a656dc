"""Networks through FullyFusedMLP: which shapes fit, where the numbers go, the same results."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import RadianceField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space
from fieldlr.nn import trial
from fieldlr.nn.activations import Gaussian, Relu, Sine
from fieldlr.nn.encodings import Frequency, HashGrid, Identity
from fieldlr.nn.execution import fused, layers_loss, run_layers, tinycudann
from fieldlr.nn.linears import Full, LowRank, SineLowRank
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import field_config

SPACE = Space("box", Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
BACKBONES = {"full": Full(), "low-rank": LowRank(3), "sine-low-rank": SineLowRank(3)}
SHAPE = FieldConfig(activation=Relu(), width=48, depth=2)


def shape_layers(generator=None, **changes):
    config = dataclasses.replace(SHAPE, **changes)
    return OccupancyField(config, SPACE, generator=generator).layers()


@pytest.mark.parametrize("linear", BACKBONES.values(), ids=BACKBONES)
@pytest.mark.parametrize("width", [15, 16, 64, 127])
def test_every_backbone_fits_up_to_127_units(linear, width):
    assert fused.reason_against(shape_layers(linear=linear, width=width)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 128}, "128 units and a constant for biases exceed 128"),
        ({"activation": Gaussian()}, "the activation is not relu"),
        ({"activation": Sine()}, "the activation is not relu"),
        ({"skips": (1,)}, "a layer has a skip connection"),
        ({"encoding": HashGrid(64, 2)}, "128 inputs and a constant for biases exceed 128"),
    ],
)
def test_a_shape_that_does_not_fit_says_why(changes, reason):
    assert fused.reason_against(shape_layers(**changes)) == reason


def test_a_single_matrix_and_wide_outputs_do_not_fit(generator):
    assert fused.reason_against(trial.relu_layers([8, 3], generator, "cpu")) == (
        "there is no hidden layer"
    )
    assert fused.reason_against(trial.relu_layers([8, 16, 17], generator, "cpu")) == (
        "17 outputs exceed 16"
    )


def test_the_networks_of_the_presets():
    fits = {}
    for preset in ("quick", "standard", "paper"):
        options = FitOptions.of(preset=preset).settled()
        network = RadianceField(field_config(options, "photos"), SPACE).networks[-1]
        stacks = [network.trunk_layers()] if preset == "paper" else []
        stacks = stacks or [network.trunk.layers(), network.head.layers()]
        fits[preset] = [fused.reason_against(layers) for layers in stacks]
    assert fits == {
        "quick": [None, None],
        "standard": [None, None],
        "paper": ["a layer has a skip connection"],
    }
    shape = OccupancyField(field_config(FitOptions(), "mesh"), SPACE)
    assert fused.reason_against(shape.layers()) == "the activation is not relu"


def test_a_cpu_never_uses_this_path(emulation, generator):
    layers = trial.relu_layers([8, 16, 3], generator, "cpu")
    assert not fused.takes(layers, torch.zeros(4, 8), torch.bfloat16)


@pytest.mark.parametrize("linear", BACKBONES.values(), ids=BACKBONES)
def test_parameters_hold_every_weight_and_bias_and_nothing_else(linear, generator):
    layers = shape_layers(generator, linear=linear, encoding=Frequency(3))
    flat = fused.parameters(layers, 64)
    first, *hidden, last = flat.split([64 * 32, 64 * 64, 64 * 64, 16 * 64])
    matrices = [first.view(64, 32), *(h.view(64, 64) for h in hidden), last.view(16, 64)]
    dense = OccupancyField(
        dataclasses.replace(SHAPE, linear=linear, encoding=Frequency(3)),
        SPACE,
        generator=torch.Generator().manual_seed(0),
    ).mlp.linears
    for matrix, linear_layer in zip(matrices, dense, strict=True):
        rows, columns = linear_layer.out_features, linear_layer.in_features
        assert torch.allclose(matrix[:rows, :columns], linear_layer.dense_weight(), atol=1e-6)
        assert torch.equal(matrix[:rows, columns], linear_layer.bias)
        rest = matrix.detach().clone()
        rest[:rows, : columns + 1] = 0.0
        hands_on = torch.zeros_like(rest)
        if matrix is not matrices[-1]:
            hands_on[rows, columns] = 1.0
        assert torch.equal(rest, hands_on)


def test_rows_carry_a_one_and_coordinates_in_two_parts(generator):
    wide = torch.rand(5, 20, generator=generator)
    rows = fused.rows_with_one(wide)
    assert rows.shape == (5, 32)
    assert torch.equal(rows[:, :20], wide)
    assert (rows[:, 20] == 1.0).all() and (rows[:, 21:] == 0.0).all()
    points = torch.rand(5, 3, generator=generator)
    rows = fused.rows_with_one(points)
    assert rows.shape == (5, 16)
    assert (rows[:, :3] + rows[:, 6:9] - points).abs().max() < 2**-21
    assert (rows[:, 9] == 1.0).all()


def agree(field, points, tolerance):
    """Values and gradients of all that is stored, through the fused network and through torch."""
    encoded, stored = field.encoded(points), list(field.mlp.parameters())
    results = [
        [y.detach(), *torch.autograd.grad(y.square().mean(), stored)]
        for y in (
            fused.run(field.layers(), encoded),
            run_layers(field.layers(), encoded, torch.float32),
        )
    ]
    trial.check_equal("the network", *results, tolerance)


@pytest.mark.parametrize("linear", BACKBONES.values(), ids=BACKBONES)
@pytest.mark.parametrize("encoding", [Identity(), Frequency(4)])
def test_the_padded_products_are_the_network(linear, encoding, emulation, generator):
    config = dataclasses.replace(SHAPE, linear=linear, encoding=encoding)
    field = OccupancyField(config, SPACE, generator=generator)
    agree(field, torch.rand(500, 3, generator=generator) * 2 - 1, 1e-5)


@pytest.mark.parametrize("linear", BACKBONES.values(), ids=BACKBONES)
def test_half_precision_is_precise_enough(linear, half_emulation, generator):
    field = OccupancyField(dataclasses.replace(SHAPE, linear=linear), SPACE, generator=generator)
    points = torch.rand(500, 3, generator=generator) * 2 - 1
    agree(field, points, trial.NETWORK_TOLERANCE)


@pytest.mark.gpu
@pytest.mark.parametrize("linear", BACKBONES.values(), ids=BACKBONES)
@pytest.mark.parametrize("encoding", [Identity(), Frequency(4)])
def test_the_library_is_the_network(linear, encoding, library, cuda, generator):
    config = dataclasses.replace(SHAPE, linear=linear, encoding=encoding)
    field = OccupancyField(config, SPACE, generator=generator).to(cuda)
    points = (torch.rand(500, 3, generator=generator) * 2 - 1).to(cuda)
    agree(field, points, trial.NETWORK_TOLERANCE)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_gradients_of_any_size_survive_half_precision(scale, half_emulation, generator):
    layers = trial.relu_layers([8, 32, 3], generator, "cpu")
    x = torch.randn(3000, 8, generator=generator).requires_grad_()
    tensors = [x, *(t for layer in layers for t in (layer.weight, layer.bias))]
    results = [
        torch.autograd.grad((y * scale).square().sum() / scale, tensors)
        for y in (fused.run(layers, x), run_layers(layers, x, torch.float32))
    ]
    trial.check_equal("a gradient", *results, trial.NETWORK_TOLERANCE)


def test_a_fused_loss_is_the_loss(emulation, generator):
    layers = trial.relu_layers([3, 64, 1], generator, "cpu")
    x = torch.rand(20_000, 3, generator=generator)
    target = (torch.rand(len(x), 1, generator=generator) > 0.5).float()

    def cross_entropy(y, rows):
        loss = functional.binary_cross_entropy_with_logits(y, target[rows], reduction="sum")
        return loss, torch.sigmoid(y) - target[rows]

    tensors = [t for layer in layers for t in (layer.weight, layer.bias)]
    results = [
        [loss.detach(), *torch.autograd.grad(loss / len(x), tensors)]
        for loss in (
            fused.loss(layers, x, cross_entropy),
            layers_loss(layers, x, cross_entropy, torch.float32),
        )
    ]
    trial.check_equal("the loss", *results, 1e-5)


def test_no_activations_are_kept_without_gradients(emulation, generator):
    layers = trial.relu_layers([8, 32, 3], generator, "cpu")
    with torch.no_grad():
        assert not fused.run(layers, torch.ones(4, 8)).requires_grad


def test_a_module_is_built_once_a_shape(emulation):
    assert tinycudann.network(16, 1, 64, 2) is tinycudann.network(16, 1, 64, 2)
    assert tinycudann.network(16, 1, 64, 2).loss_scale == 1.0
