"""A .flr file stands wherever a run does, from the command line's verbs to `fieldlr.load`."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import fieldlr
from fieldlr.cli.verbs.line import parse
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LowRank
from fieldlr.runs import open_run


def verb(name: str, **flags):
    """The JSON of a verb."""
    words = [str(flags.pop("target"))] if "target" in flags else []
    for flag, value in flags.items():
        words += [f"--{flag.replace('_', '-')}", *([] if value is True else [str(value)])]
    return json.loads(json.dumps(parse([name, *words, "--quiet"]).run()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict:
    """Runs of little training, from a volume and from photos."""
    folder = tmp_path_factory.mktemp("runs")
    grid = np.zeros((12, 9, 10), bool)
    grid[3:9, 2:7, 2:8] = True
    np.save(folder / "block.npy", grid)
    shape = {"backbone": "sine-low-rank", "rank": 2, "width": 24, "steps": 230}
    photos = {"steps": 10, "downscale": 8}
    sources = {
        "volume": (folder / "block.npy", shape),
        "photos": (example("windmill"), photos),
        "front": (example("shelf"), photos | {"encoding": "frequency", "width": 16}),
    }
    return {
        name: fieldlr.reconstruct(source, folder / name, **options)
        for name, (source, options) in sources.items()
    }


@pytest.fixture(scope="module")
def packed(runs, tmp_path_factory) -> dict:
    """What `compress` says of each run."""
    folder = tmp_path_factory.mktemp("packed")
    return {
        name: verb("compress", target=run.folder, out=folder / f"{name}.flr", bits=10.0)
        for name, run in runs.items()
    }


@pytest.mark.parametrize("name", ["volume", "photos", "front"])
def test_compress_says_what_the_contract_asks(name, runs, packed):
    result = packed[name]
    assert result["num_bytes"] == os.path.getsize(result["out"])
    assert result["quality_before"] == pytest.approx(runs[name].results["fit"]["quality"], abs=1e-6)
    # After so few steps the cells of a field without a table are better asked than remembered.
    most = 2.0 if name == "front" else 1.05
    assert 0.95 < (result["quality_after"] + 0.1) / (result["quality_before"] + 0.1) < most


@pytest.mark.parametrize("name", ["photos", "front"])
def test_eval_of_a_file_agrees_with_compress(name, runs, packed):
    figures = verb("eval", target=packed[name]["out"], source=runs[name].source, resolution=32)
    assert figures["psnr_db"] == pytest.approx(packed[name]["quality_after"], abs=1e-9)


def test_a_file_remembers_how_its_source_was_read(runs, packed):
    for name, run in runs.items():
        file = open_run(packed[name]["out"])
        assert file.kind == run.kind
        assert file.reading.items() <= run.reading.items()
        assert run.content_hash.startswith(file.content_hash)
        assert file.background == run.background


def test_another_source_is_noticed(packed):
    with pytest.raises(FieldlrError, match="other data"):
        verb("eval", target=packed["volume"]["out"], source=example("vase"))
    with pytest.raises(FieldlrError, match="`source`"):
        verb("eval", target=packed["volume"]["out"])


def test_a_source_that_is_gone_leaves_the_qualities_open(runs, packed, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs["volume"].folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"source": "nowhere.npy"}))
    result = verb("compress", target=folder, out=tmp_path / "x.flr", bits=10.0)
    assert result["quality_before"] is None and result["quality_after"] is None
    assert "--source" in result["note"]
    assert result["num_bytes"] == packed["volume"]["num_bytes"]
    again = verb(
        "compress", target=folder, out=tmp_path / "x.flr", bits=10.0, source=runs["volume"].source
    )
    assert again["quality_after"] == packed["volume"]["quality_after"]


def test_a_file_can_be_compressed_further(packed, tmp_path):
    result = verb("compress", target=packed["volume"]["out"], out=tmp_path / "less.flr", bits=5.0)
    assert result["num_bytes"] < 0.65 * packed["volume"]["num_bytes"]
    assert result["quality_after"] is None


@pytest.mark.parametrize("name", ["volume", "photos"])
def test_a_file_has_at_most_the_bytes_that_were_asked_for(name, runs, tmp_path):
    words = {"target": runs[name].folder, "out": tmp_path / "less.flr"}
    most = verb("compress", **words)["num_bytes"] * 2 // 3
    result = verb("compress", max_bytes=most, **words)
    assert 0.8 * most < result["num_bytes"] <= most
    with pytest.raises(FieldlrError, match="Give one"):
        verb("compress", max_bytes=most, bits=4.0, **words)


# Features of a grid that were 0 are no longer: its files grow, as far as the rate term lets them.
@pytest.mark.parametrize(("name", "bits", "growth"), [("volume", 5.0, 1.05), ("photos", 4.0, 1.3)])
def test_a_file_is_better_for_a_little_training(name, bits, growth, runs, tmp_path):
    words = {"target": runs[name].folder, "bits": bits}
    plain = verb("compress", out=tmp_path / "plain.flr", **words)
    tuned = verb("compress", out=tmp_path / "tuned.flr", finetune=4.0, **words)
    assert tuned["quality_after"] >= plain["quality_after"]
    assert tuned["num_bytes"] < growth * plain["num_bytes"]


def test_a_dense_network_is_made_smaller_before_its_file(runs, tmp_path):
    source = runs["volume"].source
    run = fieldlr.reconstruct(source, tmp_path / "dense", width=24, steps=60)
    words = {"target": run.folder, "out": tmp_path / "less.flr", "bits": 8.0}
    result = verb("compress", method="nystrom", to_width=12, finetune=1.0, **words)
    file = open_run(result["out"])
    assert result["method"] == "nystrom" and file.field.config.width == 12
    assert result["num_parameters"] == file.field.num_parameters < run.field.num_parameters / 3
    assert result["quality_before"] == run.results["fit"]["quality"]
    again = run.compress(method="fisher", to_rank=3)
    assert again.field.config.linear == LowRank(3)
    assert again.quality_before == result["quality_before"]
    with pytest.raises(FieldlrError, match="has the backbone sine-low-rank"):
        runs["volume"].compress(method="svd", to_rank=1)


def test_training_for_a_file_needs_the_source(packed, tmp_path):
    words = {"target": packed["volume"]["out"], "out": tmp_path / "x.flr"}
    with pytest.raises(FieldlrError, match="`source`"):
        verb("compress", finetune=1.0, **words)
    with pytest.raises(FieldlrError, match="above 0"):
        verb("compress", finetune=-1.0, **words)
    for bits in (0.1, 99.0, float("nan")):
        with pytest.raises(FieldlrError, match=r"from 0\.25 to 16"):
            verb("compress", finetune=1.0, bits=bits, **words)
    assert not (tmp_path / "x.flr").exists()


def test_the_mesh_of_a_file(packed, tmp_path):
    words = {"target": packed["volume"]["out"], "out": tmp_path / "x.ply", "resolution": 32}
    assert verb("mesh", **words)["faces"] > 100


@pytest.mark.parametrize("name", ["volume", "photos"])
def test_views_of_a_file_are_those_of_its_run(name, runs, packed, tmp_path):
    pictures = []
    for target, place in ((runs[name].folder, "run"), (packed[name]["out"], "file")):
        path = None if name == "volume" else "test"
        verb("render", target=target, out=tmp_path / f"{place}.png", size="48x32", path=path)
        pictures.append(np.asarray(Image.open(tmp_path / f"{place}.png")).astype(float))
    assert np.abs(pictures[0] - pictures[1]).mean() < 4.0


@pytest.mark.parametrize("name, path", [("photos", "orbit"), ("front", "spiral")])
def test_paths_about_the_cameras_of_a_file(name, path, packed, tmp_path):
    flags = {"out": tmp_path / "views", "path": path, "frames": 2, "size": "24x16"}
    assert verb("render", target=packed[name]["out"], **flags)["frames"] == 2


def test_the_spectrum_of_a_file_but_not_of_its_beginning(packed):
    layers = verb("spectrum", target=packed["volume"]["out"])["layers"]
    assert [layer["shape"] for layer in layers] == [[24, 3], [24, 24], [24, 24], [1, 24]]
    with pytest.raises(FieldlrError, match="before its training"):
        verb("spectrum", target=packed["volume"]["out"], fresh=True)


def test_load_reads_a_file_as_its_run(runs, packed):
    field = fieldlr.load(packed["volume"]["out"])
    points = torch.rand(500, 3) * torch.tensor([12.0, 9.0, 10.0])
    same = field.inside(points) == fieldlr.load(runs["volume"].folder).inside(points)
    assert same.float().mean() > 0.95


def test_an_invalid_file_is_named(packed, tmp_path):
    path = tmp_path / "x.flr"
    path.write_bytes(b"PK")
    with pytest.raises(FieldlrError, match=r"x\.flr: a \.flr file begins with FLR"):
        fieldlr.load(path)
    with pytest.raises(FieldlrError, match=r"config\.json"):
        fieldlr.load(tmp_path / "y.flr")
    with pytest.raises(FieldlrError, match=r"written as \.flr"):
        verb("compress", target=packed["volume"]["out"], out=tmp_path / "x.zip")
