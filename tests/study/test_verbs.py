"""spectrum, study and bd as commands: what they print, write and refuse."""

import json

import numpy as np
import pytest

from fieldlr.__main__ import main
from fieldlr.cli.verbs import VERBS
from fieldlr.cli.verbs.line import parse
from fieldlr.cli.verbs.spectrum import Look
from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.metrics.curve_file import write_curve
from fieldlr.study.sweep import Sweep
from fieldlr.training.loop import FitConfig
from fieldlr.training.options import FitOptions


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    solid = np.zeros((20, 20, 20), bool)
    solid[5:15, 4:16, 6:14] = True
    path = tmp_path_factory.mktemp("cube") / "cube.npy"
    np.save(path, solid)
    return path


@pytest.fixture(scope="module")
def study(cube):
    out = cube.parent / "study"
    words = f"study {cube} --out {out} --ranks 1,2,5 --steps 10 --width 24 --quiet --seeds 2"
    result = parse([*words.split(), "--backbones", "low-rank,sine-low-rank"]).run()
    return out, result


def test_study_gives_curves_and_figures(study):
    out, result = study
    assert result["curves"] == ["low-rank", "sine-low-rank", "narrow full"]
    assert result["fits"] == 18 and len(result["bd"]) == 6
    names = {"low-rank.json", "sine-low-rank.json", "narrow-full.json", "bd.json", "rd.svg"}
    assert names | {"rd.html", "fits"} == {path.name for path in out.iterdir()}


def test_bd_of_two_files(tmp_path):
    for name, loss in (("anchor", 2.0), ("test", 0.0)):
        points = [RDPoint(f"k={k}", 4000 * k, 1000 * k, 20.0 + k - loss, 0) for k in (1, 2, 5, 9)]
        write_curve(RDCurve(name, "psnr_db", tuple(points)), tmp_path / f"{name}.json")
    words = {"anchor": tmp_path / "anchor.json", "test": tmp_path / "test.json"}
    result = VERBS["bd"](**words, force=True).run()
    assert result["bd_rate_percent"] < 0.0 and result["bd_quality_db"] == pytest.approx(2.0)
    assert result["interval"] is None and result["method"] == "akima"
    assert 0.0 < result["overlap"] <= 1.0


def test_bd_says_the_interval_and_what_was_dropped(tmp_path):
    for name, loss in (("anchor", 2.0), ("test", 0.0)):
        points = [
            RDPoint(f"k={k}", 4000 * k, 1000 * k, 20.0 + k - loss + 0.1 * seed, seed)
            for k in (1, 2, 5, 9)
            for seed in (0, 1)
        ]
        worse = [RDPoint("k=3", 12000, 3000, 10.0, seed) for seed in (0, 1)]
        write_curve(RDCurve(name, "psnr_db", (*points, *worse)), tmp_path / f"{name}.json")
    words = {"anchor": tmp_path / "anchor.json", "test": tmp_path / "test.json"}
    verb = VERBS["bd"](**words, force=True)
    result = verb.run()
    lines = verb.text(result).splitlines()
    low, high = result["interval"]
    assert any("interval" in line and f"{low:.5g} to {high:.5g}" in line for line in lines)
    assert any("dropped" in line and "test k=3" in line for line in lines)


def test_spectrum_of_a_run(study, tmp_path):
    folder = study[0] / "fits" / "sine-low-rank-k1-seed-0"
    verb = VERBS["spectrum"](target=folder, out=tmp_path / "x.svg")
    result = verb.run()
    assert [layer["shape"] for layer in result["layers"]] == [
        [24, 3],
        [24, 24],
        [24, 24],
        [1, 24],
    ]
    assert (tmp_path / "x.svg").read_text().startswith("<?xml")
    assert "stable rank" in verb.text(result)
    json.dumps(result)
    fresh = VERBS["spectrum"](target=folder, fresh=True).run()
    assert fresh["layers"][1]["singular_values"] != result["layers"][1]["singular_values"]
    look = Look(function="identity")
    assert VERBS["spectrum"](target=folder, look=look).run()["layers"][1]["rank"] == 1


def test_pictures_have_a_known_suffix(study):
    folder = study[0] / "fits" / "sine-low-rank-k1-seed-0"
    with pytest.raises(FieldlrError, match="`out` is a picture"):
        VERBS["spectrum"](target=folder, out=folder / "x.txt").run()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--bits 6,x", "--bits is a list of different values"),
        ("--bits 0.1", "--bits is a list of different values, each a number from 0.25 to 16"),
        ("--finetune -1", "--finetune is a number above 0; got -1."),
        ("--ranks 1,two", "--ranks is a list of different values, each a whole number"),
        ("--backbones full,fll", "--backbones is a list of different values, each one of full"),
    ],
)
def test_an_invalid_study_is_refused(cube, tmp_path, words, complaint, capsys):
    with pytest.raises(SystemExit) as end:
        main(["study", str(cube), "--out", str(tmp_path), *words.split()])
    assert end.value.code == 2 and complaint in capsys.readouterr().err


def test_finetuning_is_as_long_as_a_fit_is_counted():
    sweep = Sweep(finetune=30.0)
    assert sweep.finetuning(FitOptions()) == FitConfig(seconds=30.0)
    assert sweep.finetuning(FitOptions.of(steps=20)) == FitConfig(steps=30)
