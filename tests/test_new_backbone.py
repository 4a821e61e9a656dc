"""A new backbone is one class: everything else in the package takes it from its registry.

`Tiled` is defined here and nowhere else, and put into LINEARS. It is then fitted to a shape and to
photos, offered by the command line, the app, a study and a manifest, and kept in a .flr file.
"""

import gc
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import fieldlr
from fieldlr import codec
from fieldlr.__main__ import main
from fieldlr.app import forms, layout
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.batch import read_manifest
from fieldlr.cli.verbs.line import parse
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.nn import LINEARS, replace
from fieldlr.nn.linears.full import FullLinear
from fieldlr.nn.linears.linear import Linear, LinearConfig, default_std, draw_bias
from fieldlr.study.sweep import Sweep, plan
from fieldlr.system import draws
from fieldlr.system.kinds import Whole
from fieldlr.system.options import option
from fieldlr.training.options import FitOptions
from fieldlr.training.presets import count_parameters

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Tiled(LinearConfig):
    """W is one block, repeated `copies` x `copies` times."""

    name = "tiled"
    number = 40  # beyond what half a byte can name
    summary = "one block of W, repeated"

    copies: int = option(Whole(1, 64), "Copies of the block along each side", 4)

    def build(self, in_features, out_features, bias=True, generator=None, std=None):
        if in_features % self.copies or out_features % self.copies:
            return FullLinear(in_features, out_features, bias, generator, std)
        return TiledLinear(in_features, out_features, self.copies, bias, generator, std)

    def num_weights(self, in_features, out_features):
        divides = not (in_features % self.copies or out_features % self.copies)
        return in_features * out_features // (self.copies**2 if divides else 1)


class TiledLinear(Linear):
    def __init__(self, in_features, out_features, copies, bias, generator, std):
        super().__init__(in_features, out_features)
        self.copies = copies
        size = out_features // copies, in_features // copies
        bound = 3.0**0.5 * (std or default_std(in_features))
        self.block = draws.uniform(size, bound / copies**0.5, generator)
        self.bias = draw_bias(in_features, out_features, bias, generator)

    def dense_weight(self):
        return self.block.repeat(self.copies, self.copies)


@pytest.fixture(autouse=True)
def registered():
    LINEARS.add(Tiled)
    yield
    LINEARS.remove("tiled")


@pytest.fixture
def ball(tmp_path):
    axis = torch.linspace(-1.2, 1.2, 24)
    solid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).norm(dim=-1) < 1.0
    np.save(tmp_path / "ball.npy", solid.numpy())
    return tmp_path / "ball.npy"


def fit(source, out, *words):
    """The JSON of `fieldlr fit` with this backbone."""
    tiled = ["--backbone", "tiled", "--copies", "2", "--quiet"]
    return parse(["fit", str(source), "--out", str(out), *tiled, *words]).run()


def test_the_law(generator):
    layer = Tiled(4).build(16, 8, generator=generator).double()
    x = torch.randn(5, 16, generator=generator, dtype=torch.float64)
    assert torch.allclose(layer(x), functional.linear(x, layer.dense_weight(), layer.bias))
    assert layer.num_parameters == Tiled(4).num_weights(16, 8) + 8
    model = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU())
    assert type(replace(model, Tiled(4))[0]) is TiledLinear


def test_a_shape_is_fitted_and_kept_bit_by_bit(ball, tmp_path):
    results = fit(ball, tmp_path / "run", "--steps", "150", "--width", "32")
    config = FitOptions.of(backbone="tiled", copies=2, width=32)
    assert results["backbone"] == "tiled" and results["quality"] > 0.7
    assert results["num_parameters"] == count_parameters(config, "volume") < 3 * 32 * 32
    words = ["compress", str(tmp_path / "run"), "--out", str(tmp_path / "x.flr"), "--bits", "8"]
    packed = parse([*words, "--finetune", "1", "--quiet"]).run()
    assert packed["quality_after"] > packed["quality_before"] - 0.05
    field = fieldlr.load(tmp_path / "x.flr")
    assert field.config.linear == Tiled(2)
    again = codec.decode(codec.encode(field, steps=codec_steps(field)))
    pairs = zip(field.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    spectrum = parse(["spectrum", str(tmp_path / "run"), "--quiet"]).run()
    assert spectrum["layers"][1]["rank"] <= 16


def codec_steps(field):
    """Steps that hold the numbers of a decoded field exactly: far finer than theirs."""
    return {name: 27 * 8 - 8 * 20 for name, _ in field.named_parameters()}


def test_photos_are_fitted(tmp_path):
    words = ["--steps", "8", "--downscale", "8", "--encoding", "frequency", "--width", "32"]
    results = fit(example("windmill"), tmp_path / "run", *words)
    assert results["kind"] == "photos" and results["config"]["field"]["linear"]["copies"] == 2
    words = {"steps": 3, "downscale": 4, "backbone": "tiled"}
    run = fieldlr.reconstruct(example("shelf"), tmp_path / "b", **words)
    data = codec.encode(run.load_field(), about=run.about())
    assert codec.decode(data).config.linear == Tiled(4)


def test_the_command_line_offers_it(ball, tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse(["fit", "--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert "sine-low-rank|" in shown and "|tiled" in shown and "--copies" in shown
    with pytest.raises(SystemExit) as end:
        main(["fit", str(ball), "--out", str(tmp_path / "x"), "--copies", "65"])
    assert end.value.code == 2
    assert "--copies is a whole number from 1 to 64; got 65" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["fit", str(ball), "--out", str(tmp_path / "x"), "--copies", "2"])
    assert "choose the --backbone tiled" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_app_offers_it(tmp_path):
    workspace = Workspace(tmp_path)
    page = json.dumps(layout.build(workspace, Viewer(workspace)).get_config_file(), default=str)
    assert "one block of W, repeated" in page and "Copies of the block along each side" in page
    tiled = FitOptions.of(backbone="tiled", copies=8)
    assert forms.file_size("mesh", tiled).total < 150_000 / 30
    words = forms.option_flags(tiled)
    assert words == ["--backbone", "tiled", "--copies", "8"]
    gc.collect()  # Gradio leaves an event loop, and the warning of it belongs to this test.


def test_a_study_and_a_manifest_take_it(ball):
    sweep = Sweep(backbones=("tiled", "low-rank"), ranks=(1, 2), narrow=False)
    entries = plan("volume", FitOptions.of(copies=8, width=32), sweep)
    assert [entry.title for entry in entries] == [
        "tiled seed 0",
        "low-rank k=1 seed 0",
        "low-rank k=2 seed 0",
    ]
    assert entries[0].options.network.linear == {"copies": 8}
    assert entries[1].options.network.linear == {"rank": 1}
    text = "defaults: {backbone: tiled, copies: 2}\nitems: [{source: ball.npy, steps: 5}]"
    (ball.parent / "m.yaml").write_text(text)
    (item,) = read_manifest(ball.parent / "m.yaml").items
    assert item.fit_options.network.linear == {"copies": 2}


def test_without_it_files_are_refused_in_words(ball, tmp_path):
    run = fieldlr.reconstruct(ball, tmp_path / "run", steps=2, width=16, backbone="tiled")
    data = codec.encode(run.load_field(), about=run.about())
    spec = importlib.util.spec_from_file_location(
        "read_flr", REPOSITORY / "docs" / "examples" / "read_flr.py"
    )
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    with pytest.raises(SystemExit, match="does not know linear"):
        reader.Shape(data)
    LINEARS.remove("tiled")
    try:
        with pytest.raises(FieldlrError, match="backbone number 40, which this version"):
            codec.decode(data)
        with pytest.raises(FieldlrError, match="no backbone 'tiled'"):
            run.load_field()
    finally:
        LINEARS.add(Tiled)


@pytest.mark.parametrize("change", [{"name": "full"}, {"number": 2}])
def test_a_name_or_a_number_that_is_taken_is_refused(change):
    with pytest.raises(FieldlrError, match="unique"):
        LINEARS.add(type("Other", (Tiled,), {"name": "other", "number": 41, **change}))
