"""The command line: exit codes, one JSON object, what lands on disk.

Fits, signals and closed pipes are tried in processes of their own; all else by `main` in this one,
which is sooner.
"""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from fieldlr.__main__ import main
from fieldlr.cli.verbs import VERBS
from fieldlr.data.examples import example

FIELDLR = [sys.executable, "-m", "fieldlr"]


def run(*words):
    """The JSON of a command."""
    done = subprocess.run([*FIELDLR, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def told(capsys, *words):
    """The JSON of a command in this process."""
    return json.loads(said(capsys, *words, "--json", expect=0).out)


def said(capsys, *words, expect):
    """(standard output, standard error) of a command in this process."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == expect
    return capsys.readouterr()


def test_a_closed_output_pipe_is_not_an_error():
    command = [*FIELDLR, "check", str(example("vase")), "--grid", "16"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.fixture(scope="module")
def shape_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shape") / "run"
    words = ["fit", example("rook"), "--out", folder, "--grid", 64, "--steps", 60]
    result = run(*words, "--width", 64, "--backbone", "sine-low-rank", "--rank", 4, "--json")
    return folder, result


@pytest.fixture(scope="module")
def photo_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "run"
    words = ["fit", example("windmill"), "--out", folder, "--downscale", 8, "--steps", 30]
    result = run(*words, "--json")
    return folder, result


def test_fit_says_what_the_contract_asks(shape_run, photo_run):
    keys = {"run", "kind", "backbone", "num_parameters", "steps", "samples", "seconds"}
    keys |= {"setup_seconds", "quality", "config"}
    for (_, result), kind, steps in ((shape_run, "mesh", 60), (photo_run, "photos", 30)):
        assert keys <= result.keys()
        assert (result["kind"], result["steps"]) == (kind, steps)
        assert result["samples"] > 0
        assert result["quality"] > 0


def test_eval_of_a_shape(shape_run, capsys):
    result = told(capsys, "eval", shape_run[0])
    assert {"iou", "iou_mesh", "chamfer_l1", "fscore_1pct", "grid"} <= result.keys()
    assert result["iou"] == pytest.approx(shape_run[1]["quality"], abs=1e-9)
    assert max(result["grid"]) == 64


def test_eval_of_photos(photo_run, capsys):
    result = told(capsys, "eval", photo_run[0])
    assert {"psnr_db", "ssim", "per_view"} <= result.keys()
    assert len(result["per_view"]) == 8
    assert result["psnr_db"] == pytest.approx(photo_run[1]["quality"], abs=1e-6)


@pytest.mark.parametrize("suffix", ["glb", "ply", "obj", "stl"])
def test_mesh_in_every_format(shape_run, tmp_path, suffix, capsys):
    path = tmp_path / f"x.{suffix}"
    result = told(capsys, "mesh", shape_run[0], "--out", path, "--resolution", 48)
    assert {"vertices", "faces", "watertight", "evaluations", "seconds"} <= result.keys()
    assert result["watertight"]
    assert len(trimesh.load(path, force="mesh").faces) == result["faces"]


def test_mesh_can_be_simplified(shape_run, tmp_path, capsys):
    pytest.importorskip("fast_simplification")
    words = ["--resolution", 64, "--faces", 1000, "--largest"]
    result = told(capsys, "mesh", shape_run[0], "--out", tmp_path / "x.ply", *words)
    assert result["faces"] <= 1000


def test_render_of_a_shape_and_of_photos(shape_run, photo_run, tmp_path, capsys):
    for folder, _ in (shape_run, photo_run):
        path = tmp_path / f"{folder.parent.name}.png"
        said(capsys, "render", folder, "--out", path, "--size", "64x48", "--quiet", expect=0)
        picture = np.asarray(Image.open(path))
        assert picture.shape == (48, 64, 3)
        assert picture.std() > 2.0
    views = tmp_path / "views"
    words = ["--path", "orbit", "--frames", 3, "--size", "32x32", "--depth-map"]
    result = told(capsys, "render", photo_run[0], "--out", views, *words)
    assert result["frames"] == 3
    assert np.load(views / "00002_depth.npy").shape == (32, 32)


def test_a_render_has_the_chosen_background(shape_run, photo_run, tmp_path, capsys):
    def picture(folder, *words):
        words = ["--out", tmp_path / "x.png", "--size", 36, "--quiet", *words]
        said(capsys, "render", folder, *words, expect=0)
        return np.asarray(Image.open(tmp_path / "x.png")).astype(float)

    shape = picture(shape_run[0], "--background", "#336699")
    assert shape.shape == (36, 36, 3) and (shape[0, 0] == (0x33, 0x66, 0x99)).all()
    # What light passes shows the background: a colour between two gives what is between them.
    black, grey, white = (
        picture(photo_run[0], "--background", word) for word in ("black", "#808080", "WHITE")
    )
    assert (white - black).max() > 10.0
    assert np.abs(black + (white - black) * 0x80 / 0xFF - grey).max() <= 1.5
    default = picture(photo_run[0])
    assert (default == black).all() != (default == white).all()


def test_check_of_every_kind(tmp_path, capsys):
    keys = {"kind", "views", "missing", "train", "test", "aabb", "memory_bytes", "warnings"}
    for name, kind in (("shelf", "photos"), ("courtyard", "photos"), ("chain", "mesh")):
        page = tmp_path / f"{name}.html"
        words = ["--grid", 64] if kind == "mesh" else []
        result = told(capsys, "check", example(name), "--html", page, *words)
        assert keys <= result.keys()
        assert result["kind"] == kind
        assert 0.0 < result["good_seconds"] < result["best_seconds"]
        assert "<canvas" in page.read_text()


def test_an_interrupt_saves_and_a_resume_finishes(tmp_path, capsys):
    out = tmp_path / "run"
    words = [example("rook"), "--out", out, "--grid", "64", "--steps", "150", "--width", "64"]
    process = subprocess.Popen(
        [*FIELDLR, "fit", *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    history = out / "history.jsonl"
    until = time.monotonic() + 60.0
    while not history.exists():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 3, errors.decode()
    assert b"--resume" in errors
    assert told(capsys, "fit", *words, "--resume")["steps"] == 150


MISTAKES = {
    "no such source": (["fit", "nowhere", "--out", "OUT"], "nowhere"),
    "rank of nought": (
        ["fit", "ROOK", "--out", "OUT", "--backbone", "low-rank", "--rank", "0"],
        "rank",
    ),
    "rank for full": (["fit", "ROOK", "--out", "OUT", "--rank", "3"], "--rank"),
    "no time": (["fit", "ROOK", "--out", "OUT", "--seconds", "0"], "--seconds"),
    "downscaled mesh": (["fit", "ROOK", "--out", "OUT", "--downscale", "2"], "--downscale"),
    "too little memory": (["fit", "ROOK", "--out", "OUT", "--memory", "0.1"], "--memory"),
    "no run": (["eval", "ROOK"], "config.json"),
    "unknown mesh format": (["mesh", "RUN", "--out", "x.docx"], ".glb"),
    "unknown picture format": (["render", "RUN", "--out", "x.gif"], ".png"),
    "unknown colour": (["render", "RUN", "--out", "x.png", "--background", "red"], "--background"),
    "odd size": (["render", "RUN", "--out", "OUT.png", "--size", "big"], "--size"),
    "threshold": (["mesh", "RUN", "--out", "OUT.ply", "--threshold", "7"], "threshold"),
    "unknown flag": (["fit", "ROOK", "--out", "OUT", "--speed", "9"], "--speed"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_in_a_sentence(name, shape_run, tmp_path, capsys):
    words, says = MISTAKES[name]
    places = {"OUT": tmp_path / "out", "ROOK": example("rook"), "RUN": shape_run[0]}
    words = [str(places.get(word, word)).replace("OUT", str(tmp_path / "out")) for word in words]
    _, errors = said(capsys, *words, expect=2)
    assert errors.splitlines()[-1].startswith("fieldlr: ") and says in errors
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb, capsys):
    text, _ = said(capsys, verb, "--help", expect=0)
    assert f"Example: fieldlr {verb}" in text
    assert "--json" in text
