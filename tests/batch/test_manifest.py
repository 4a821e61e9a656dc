"""A manifest is understood whole or refused whole, with the line of every mistake."""

from pathlib import Path

import numpy as np
import pytest

from fieldlr.batch import read_manifest
from fieldlr.batch.keys import keys
from fieldlr.batch.outputs import OUTPUTS
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.training.nystrom import Nystrom


@pytest.fixture
def folder(tmp_path):
    """A place with three small volumes and something that is none."""
    (tmp_path / "shapes").mkdir()
    for name in ("ball", "box", "cone"):
        np.save(tmp_path / "shapes" / f"{name}.npy", np.ones((4, 4, 4), bool))
    (tmp_path / "shapes" / "notes.txt").write_text("notes")
    return tmp_path


def read(folder, text):
    path = folder / "manifest.yaml"
    path.write_text(text)
    return read_manifest(path)


def test_the_manifest_of_the_contract(folder):
    text = f"""\
defaults: {{backbone: sine-low-rank, seconds: 60, outputs: [eval, mesh, compress]}}
items:
  - {{source: shapes/*.npy, rank: 2}}
  - {{source: {example("windmill")}, name: garden-full, backbone: full, preset: standard,
     outputs: [eval, render]}}
"""
    manifest = read(folder, text)
    assert [item.name for item in manifest.items] == ["ball", "box", "cone", "garden-full"]
    ball, garden = manifest.items[0], manifest.items[-1]
    assert ball.source == str(folder / "shapes" / "ball.npy")
    assert {"backbone": "sine-low-rank", "rank": 2, "seconds": 60}.items() <= ball.options.items()
    assert set(ball.outputs) == {"eval", "mesh", "compress"}
    assert {"backbone": "full", "preset": "standard"}.items() <= garden.options.items()
    assert garden.outputs == ("eval", "render")
    assert manifest.notes == ("line 3: 1 of 4 matches of shapes/*.npy are not sources.",) or (
        manifest.notes == ()
    )


def test_matches_that_are_not_sources_are_reported(folder):
    manifest = read(folder, "items: [{source: shapes/*}]")
    assert len(manifest.items) == 3
    assert manifest.notes == ("line 1: 1 of 4 matches of shapes/* are not sources.",)


def test_defaults_are_left_out_where_they_mean_nothing(folder):
    text = "defaults: {rank: 2, backbone: low-rank, grid: 64, downscale: 4}\nitems:\n"
    text += "  - {source: shapes/ball.npy}\n  - {source: shapes/box.npy, backbone: full}\n"
    text += f"  - {{source: {example('rook')}}}\n  - {{source: {example('windmill')}}}\n"
    ball, box, rook, windmill = read(folder, text).items
    assert ball.options["rank"] == 2
    assert "rank" not in box.options
    options = [item.options for item in (ball, rook, windmill)]
    assert [own.get("grid") for own in options] == [None, 64, None]
    assert [own.get("downscale") for own in options] == [None, None, 4]


def test_one_name_for_many_sources(folder):
    text = "items:\n  - {source: shapes/*.npy}\n  - {source: shapes/*.npy, name: '{stem} 2'}"
    names = [item.name for item in read(folder, text).items]
    assert names == ["ball", "box", "cone", "ball 2", "box 2", "cone 2"]


def test_a_study_alone_needs_no_field(folder):
    (item,) = read(folder, "items: [{source: shapes/ball.npy, outputs: [study]}]").items
    assert not item.fits


MISTAKES = {
    "items:\n- {source: shapes/ball.npy, rnk: 2}": (2, "Did you mean rank"),
    "items:\n- {source: shapes/ball.npy, rank: 2.5}": (2, "whole number"),
    "items:\n- {source: shapes/ball.npy, rank: true}": (2, "whole number"),
    "items:\n- {source: shapes/ball.npy, seconds: .inf}": (2, "number above 0"),
    "items:\n- {source: shapes/ball.npy, seconds: 1e3}": (2, "number above 0"),
    "items:\n- {source: shapes/ball.npy, outputs: [eval, film]}": (2, "list"),
    "items:\n- {source: shapes/ball.npy, outputs: eval}": (2, "list"),
    "items:\n- {source: shapes/ball.npy, size: 40x}": (2, "WIDTHxHEIGHT"),
    "items:\n- {source: shapes/ball.npy, size: 99999x99999}": (2, "WIDTHxHEIGHT"),
    "items:\n- {source: shapes/ball.npy, name: 3}": (2, "a text"),
    "items:\n- {source: shapes/ball.npy, name: ../out}": (2, "not a valid folder name"),
    "items:\n- {source: shapes/ball.npy, name: report.json}": (2, "not a valid folder name"),
    "items:\n- {source: shapes/ball.npy, name: ' .'}": (2, "not a valid folder name"),
    "items:\n- {source: shapes/ball.npy, backbone: fulll}": (2, "one of full"),
    "items:\n- {source: shapes/ball.npy, rank: 2}": (2, "has no option"),
    "items:\n- {source: shapes/ball.npy, backbone: low-rank, rank: 500}": (2, "as large as"),
    "items:\n- {source: shapes/ball.npy, downscale: 2}": (2, "downscale"),
    "items:\n- {source: shapes/ball.npy, grid: 64}": (2, "grid"),
    "items:\n- {source: shapes/bull.npy}": (2, "does not exist"),
    "items:\n- {source: shapes/notes.txt}": (2, "not a valid source"),
    "items:\n- {source: shapes/*.ply}": (2, "matches no source"),
    "items:\n- {name: ball}": (2, "needs a `source`"),
    "items:\n- ball": (2, "key: value"),
    "items:\n- {source: [a, b]}": (2, "a text"),
    "items:\n- {source: {a: b}}": (2, "value"),
    "items:\n- {source: shapes/ball.npy, source: a}": (2, "twice"),
    "items:\n- {source: shapes/ball.npy}\n- {source: shapes/ball.npy}": (3, "in line 2"),
    "items:\n- {source: shapes/ball.npy}\n- {source: shapes/b*.npy, name: BALL}": (3, "line 2"),
    "defaults: {source: a}\nitems: []": (1, "no key `source`"),
    "item: []": (1, "Did you mean items"),
    "items: 3": (1, "list"),
    "- a": (1, "key: value"),
    "items:\n- {source: !!python/object/apply:os.system [ls]}": (2, "a text"),
    "items:\n- {source: !!binary aGVsbG8=}": (2, "a text"),
    "items:\n- &a {<<: *a, source: shapes/ball.npy}": (2, "<<"),
    "items:\n- {source: shapes/ball.npy, seed: " + "9" * 5000 + "}": (2, "not a valid value"),
    "items:\n- {source: shapes/ball.npy, name: 2024-99-99}": (2, "not a valid value"),
    "items: [\n": (2, "invalid YAML"),
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[-60:])
def test_an_error_names_its_line(folder, text):
    line, words = MISTAKES[text]
    with pytest.raises(FieldlrError) as caught:
        read(folder, text)
    assert words in str(caught.value)
    assert f"line {line}:" in str(caught.value)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "empty"),
        ("items: []", "no `items`"),
        ("defaults: {}", "no `items`"),
        ("[" * 5000, "YAML"),
        ("a: " + "b" * 300_000, "KiB"),
    ],
)
def test_invalid_manifests_are_refused(folder, text, words):
    with pytest.raises(FieldlrError, match=words):
        read(folder, text)


def test_yaml_that_expands_without_limit_is_refused_at_once(folder):
    bomb = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(FieldlrError, match="no key `a0`"):
        read(folder, "\n".join(bomb))
    lists = "[" + ", ".join(["*a"] * 50) + "]"
    with pytest.raises(FieldlrError, match="value"):
        read(folder, f"items: [{{source: &a [x, x], name: {lists}}}]")


def test_bytes_that_are_not_text_are_refused(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FieldlrError, match="UTF-8"):
        read_manifest(path)
    with pytest.raises(FieldlrError, match="cannot be read"):
        read_manifest(tmp_path / "absent.yaml")


def test_all_errors_are_reported_at_once(folder):
    with pytest.raises(FieldlrError) as caught:
        read(folder, "items:\n- {source: a}\n- {sorce: b}\n- {source: shapes/ball.npy, rank: x}")
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0].rpartition(" ")[2] for line in lines] == ["2", "3", "3", "4"]


def test_every_key_says_what_it_wants():
    for name, key in keys().items():
        assert key.kind.wants and key.help, name
        with pytest.raises(FieldlrError, match=f"`{name}` is"):
            key.read(None)


def test_the_documentation_names_every_key_and_output():
    text = (Path(__file__).parents[2] / "docs" / "batch.md").read_text()
    for name in (*keys(), *OUTPUTS):
        assert f"`{name}`" in text, name


def test_a_method_of_compress_comes_with_a_size(folder):
    text = "items: [{{source: shapes/ball.npy, outputs: [compress], method: nystrom{}}}]"
    (item,) = read(folder, text.format(", to_width: 8")).items
    assert item.file_options.compressor == Nystrom(to_width=8)
    for wrong, complaint in (("", "needs one size"), (", to_rank: 8", "no `to_rank` of the")):
        with pytest.raises(FieldlrError, match=complaint):
            read(folder, text.format(wrong))
