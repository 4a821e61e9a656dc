"""Compressors of a trained field: what each promises and refuses, over the whole registry."""

import dataclasses

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.activations import Sine
from fieldlr.nn.linears import LowRank
from fieldlr.runs.options import FileOptions
from fieldlr.training.compressors import COMPRESSORS, compressor_of
from fieldlr.training.finetune import Finetuning
from fieldlr.training.fisher import Fisher, output_fisher
from fieldlr.training.layer_samples import AffineFit, LayerSamples
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.nystrom import Nystrom, best_units
from fieldlr.training.state import start_fit
from fieldlr.training.svd import Svd
from fieldlr.training.tasks import RadianceTask
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask

WIDTH, PARAMETERS = 32, 1400
LOW_RANK = [name for name, kind in COMPRESSORS.items() if kind.size == "to_rank"]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    x, y, z = np.meshgrid(*[np.linspace(-1.0, 1.0, 40)] * 3, indexing="ij")
    path = tmp_path_factory.mktemp("ring") / "ring.npy"
    np.save(path, (np.hypot(x, y) - 0.6) ** 2 + z**2 < 0.07)
    settings = OccupancySettings(points_per_step=4096, newton_points=2048)
    return OccupancyTask(open_source(path).content, settings)


@pytest.fixture(scope="module")
def field(task):
    state = start_fit(task, FieldConfig(width=WIDTH), 0, torch.device("cpu"))
    for _ in fit(state, FitConfig(steps=150)):
        pass
    return state.field.eval()


@pytest.fixture(scope="module")
def samples(field, task):
    with torch.no_grad():
        return LayerSamples.drawn(field, task, seed=1)


@pytest.fixture(scope="module")
def photos():
    return RadianceTask(open_source(example("windmill"), downscale=8).content)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def stored(field):
    """The parameters that are not 0."""
    return sum(int((tensor != 0).sum()) for tensor in field.parameters())


def error_of(field, samples):
    """The mean squared error of the logits at the samples."""
    ours = LayerSamples(field.mlp, samples.features)
    return float((ours.outputs[-1] - samples.outputs[-1]).square().mean())


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_smaller_field_is_an_ordinary_one(name, field, task):
    before = {key: value.clone() for key, value in field.state_dict().items()}
    smaller = COMPRESSORS[name](to_parameters=PARAMETERS).compress(field, task)
    assert all(torch.equal(value, before[key]) for key, value in field.state_dict().items())
    assert 0.8 * PARAMETERS < stored(smaller) <= PARAMETERS < field.num_parameters
    assert FieldConfig.from_json(smaller.config.to_json()) == smaller.config
    decoded = codec.decode(codec.encode(smaller, 12.0))
    assert decoded.config == smaller.config
    assert task.quality(decoded) == pytest.approx(task.quality(smaller), abs=0.01)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_its_own_size_is_kept(name, field, task):
    kind = COMPRESSORS[name]
    smaller = kind(**{kind.size: 6}).compress(field, task)
    assert smaller.config == kind(**{kind.size: 6}).config(field.config, 6)
    assert smaller.num_parameters == kind(**{kind.size: 6}).num_parameters(field, 6)


@pytest.mark.parametrize("name", [name for name in COMPRESSORS if name != "svd"])
def test_methods_that_use_data_are_nearer_than_those_without(name, field, task, samples):
    """At equal parameters; and the larger, the nearer."""
    sizes = (1000, PARAMETERS, 1900)
    errors = [
        error_of(COMPRESSORS[name](to_parameters=size).compress(field, task), samples)
        for size in sizes
    ]
    assert errors == sorted(errors, reverse=True)
    blind = Svd(to_parameters=PARAMETERS).compress(field, task)
    assert errors[1] < 0.5 * error_of(blind, samples)


@pytest.mark.parametrize("rank", [1, 4, 12])
def test_the_error_that_each_method_minimises_is_least_with_it(rank, samples):
    """Of the first layer between hidden units, at the very samples."""
    inputs, outputs = samples.inputs[1], samples.outputs[1]
    errors = {}
    for name in LOW_RANK:
        weight, bias = COMPRESSORS[name](to_rank=rank).affine(samples, 1, inputs, rank)
        assert torch.linalg.matrix_rank(weight) == rank
        missed = outputs - inputs @ weight.T - bias
        weighted = ((missed @ output_fisher(samples, 1)) * missed).sum(1)
        errors[name] = float(missed.square().sum(1).mean()), float(weighted.mean())
    assert errors["activation-svd"][0] == min(plain for plain, _ in errors.values())
    assert errors["fisher"][1] == min(weighted for _, weighted in errors.values())


@pytest.mark.parametrize("name", LOW_RANK)
def test_the_singular_values_are_the_error_of_leaving_them_out(name, samples):
    values = COMPRESSORS[name](to_rank=4).singular_values(samples, 1)
    assert torch.equal(values, values.sort(descending=True)[0])
    inputs, outputs = samples.inputs[1], samples.outputs[1]
    weight, bias = COMPRESSORS[name](to_rank=4).affine(samples, 1, inputs, 4)
    missed, error = outputs - inputs @ weight.T - bias, float(values[4:].square().sum())
    if name == "svd":
        own = (samples.layers[1].dense_weight() - weight).square().sum()
    else:
        outer = output_fisher(samples, 1) if name == "fisher" else torch.eye(WIDTH).double()
        own = ((missed @ outer) * missed).sum(1).mean()
    assert float(own) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in LOW_RANK if name != "svd"])
def test_the_full_rank_changes_nothing(name, samples):
    layer = samples.layers[1]
    weight, bias = COMPRESSORS[name](to_rank=4).affine(samples, 1, samples.inputs[1], WIDTH)
    assert torch.allclose(weight, layer.dense_weight(), atol=1e-9)
    assert torch.allclose(bias, layer.bias, atol=1e-9)


def test_ranks_follow_one_threshold_and_stay_in_the_budget(field, task, samples):
    compressor = Fisher(to_parameters=PARAMETERS)
    ranks = compressor.ranks(field, samples)
    values = {index: compressor.singular_values(samples, index) for index in ranks}
    kept = [float(values[i][r - 1]) for i, r in ranks.items() if r > 1]
    left_out = [float(values[i][r]) for i, r in ranks.items()]
    assert min(kept) >= max(left_out) and len(set(ranks.values())) > 1
    smaller = compressor.smaller(field, samples)
    assert smaller.config.linear == LowRank(max(ranks.values()))
    for index, rank in ranks.items():
        for factor in (smaller.mlp.linears[index].U, smaller.mlp.linears[index].V):
            assert bool((factor != 0).all(0).tolist() == [i < rank for i in range(factor.shape[1])])
    one_rank = Fisher(to_rank=sum(ranks.values()) // len(ranks)).compress(field, task)
    assert stored(one_rank) <= stored(smaller) + 2 * WIDTH
    assert error_of(smaller, samples) < 1.2 * error_of(one_rank, samples)


def test_fine_tuning_leaves_columns_beyond_the_rank_at_zero(task, generator):
    config = FieldConfig(activation=Sine(), width=12, depth=2)
    wide = task.make_field(config, generator)
    smaller = Fisher(to_parameters=260).compress(wide, task)
    assert stored(smaller) < smaller.num_parameters
    with torch.enable_grad():
        tuning = Finetuning(smaller, task, FitConfig(steps=6))
        for _ in tuning.reports():
            pass
    trained = tuning.state.field
    tuning.finish()
    assert not tuning.task.quantiser.free.any()
    for index in (1, 2):
        layer, own = trained.mlp.linears[index], smaller.mlp.linears[index]
        assert not torch.equal(layer.U, own.U)
        assert bool((layer.U[own.U == 0] == 0).all() and (layer.V[own.V == 0] == 0).all())


class ByChance(Nystrom):
    seed = 0

    def units(self, samples, index, hidden, count):
        generator = torch.Generator().manual_seed(self.seed + index)
        return torch.randperm(hidden.shape[1], generator=generator)[:count].sort()[0]


class ByNorm(Nystrom):
    def units(self, samples, index, hidden, count):
        return hidden.square().mean(0).topk(count)[1].sort()[0]


@pytest.mark.parametrize("width", [12, 20])
def test_the_chosen_units_are_better_than_random_and_than_large_ones(width, field, samples):
    chosen = error_of(Nystrom(to_width=width).smaller(field, samples), samples)
    assert chosen < 0.8 * error_of(ByNorm(to_width=width).smaller(field, samples), samples)
    for seed in range(3):
        ByChance.seed = seed
        assert chosen < 0.8 * error_of(ByChance(to_width=width).smaller(field, samples), samples)


@pytest.mark.parametrize("skips", [(), (1, 2)])
def test_all_units_change_nothing(skips, field, generator):
    config = FieldConfig(activation=Sine(), width=12, depth=2, skips=skips)
    wide = OccupancyField(config, field.space, field.frame, generator)
    samples = LayerSamples(wide.mlp, torch.rand(500, 3, generator=generator) * 2.0 - 1.0)
    same = Nystrom(to_width=12).smaller(wide, samples)
    points = field.aabb.from_unit(torch.rand(200, 3, generator=generator) * 2.0 - 1.0)
    assert torch.allclose(same.level(points), wide.level(points), atol=1e-4)
    fewer = Nystrom(to_width=9).smaller(wide, samples)
    assert fewer.config == dataclasses.replace(config, width=9)
    assert fewer.level(points).isfinite().all()


def test_best_units_explain_all_that_can_be(generator):
    """Outputs made of three of ten units, among copies and constants."""
    h = torch.randn(400, 10, generator=generator, dtype=torch.float64)
    h[:, 4], h[:, 7] = h[:, 2] * (1.0 + 1e-9), 3.0
    y = h[:, [2, 5, 9]] @ torch.tensor([[3.0, 1.0], [0.0, 2.0], [1.0, -1.0]]).double() + 5.0
    chosen = best_units(h, y, 3).tolist()
    assert chosen in ([2, 5, 9], [4, 5, 9])
    (first,) = best_units(h, y, 1).tolist()
    fits = [AffineFit.of(torch.zeros(2, 1).double(), h[:, [i]], y) for i in range(10)]
    errors = [
        float((y - h[:, [i]] @ f.weight.T - f.bias(f.weight)).square().sum())
        for i, f in enumerate(fits)
    ]
    assert errors[first] == pytest.approx(min(errors), rel=1e-6)
    assert len(best_units(h, y, 9)) == 9


def test_gradients_of_outputs_are_those_of_the_loss(samples):
    p = torch.sigmoid(samples.outputs[-1])[:, 0]
    with torch.enable_grad():
        for index, layer in enumerate(samples.layers):
            logits = LayerSamples(samples.mlp, samples.features[:50])
            y = logits.mlp(samples.features[:50])[:, 0]
            scaled = (y * (p * (1.0 - p)).sqrt()[:50]).sum()
            (by_bias,) = torch.autograd.grad(scaled, logits.layers[index].bias)
            assert by_bias.shape == layer.bias.shape
            own = samples.output_gradients(index)[:50].sum(0)
            assert torch.allclose(own, by_bias, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_impossible_sizes_are_refused(name, field, task, photos):
    kind = COMPRESSORS[name]
    for sizes in ({}, {kind.size: 4, "to_parameters": 900}):
        with pytest.raises(FieldlrError, match=f"needs one size: `{kind.size}` or `to_parameters`"):
            kind(**sizes)
    with pytest.raises(FieldlrError, match="whole number"):
        kind(**{kind.size: 0})
    with pytest.raises(FieldlrError, match=rf"`{kind.size}` is at most \d+ .* Got 32"):
        kind(**{kind.size: WIDTH}).compress(field, task)
    with pytest.raises(FieldlrError, match=r"leaves at least \d+ parameters .* is 5"):
        kind(to_parameters=5).compress(field, task)
    config = FieldConfig(linear=LowRank(2), width=WIDTH)
    factorised = OccupancyField(config, field.space, field.frame)
    with pytest.raises(FieldlrError, match="this field has the backbone low-rank"):
        kind(to_parameters=900).compress(factorised, task)
    least = OccupancyField(FieldConfig(width=1, depth=0), field.space, field.frame)
    with pytest.raises(FieldlrError, match="nothing to make smaller"):
        kind(to_parameters=900).compress(least, task)
    scene = photos.make_field(FieldConfig(width=8), torch.Generator())
    with pytest.raises(FieldlrError, match="from photos"):
        kind(to_parameters=900).compress(scene, photos)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"to_rank": 4}, "no `to_rank` without a `method`.*fisher or activation-svd or svd"),
        ({"method": "svd", "to_width": 4}, "no `to_width` of the `method` svd.*`method` nystrom"),
        ({"method": "svd"}, "needs one size"),
    ],
)
def test_options_that_do_not_go_together(options, complaint):
    with pytest.raises(FieldlrError, match=complaint):
        FileOptions.of(**options).compressor  # noqa: B018
    assert compressor_of(None, {}) is None
    assert FileOptions.of(method="svd", to_rank=4).compressor == Svd(to_rank=4)
