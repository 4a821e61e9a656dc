"""Batches in real processes: what is done is kept, what is missing is done, what fails is told."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from fieldlr import codec
from fieldlr.batch import Batch, read_manifest
from fieldlr.errors import FieldlrError
from fieldlr.runs import open_run
from fieldlr.system.files import lock

PATIENCE_SECONDS = 300.0
QUICK = "{width: 16, steps: 30, resolution: 24, seed: 1}"


def began(events):
    return [event.name for event in events if event.kind == "began"]


def test_a_batch_does_what_is_missing_and_no_more(shapes, batch_of, tmp_path):
    text = f"""\
defaults: {QUICK}
items:
  - {{source: shapes/a.npy, outputs: [eval, mesh, compress], size: 40x30}}
  - {{source: shapes/b.npy, outputs: [compress]}}
"""
    report, events = batch_of(text)
    assert began(events) == ["a", "b"]
    a, b = report["by_name"]["a"], report["by_name"]["b"]
    assert (a["status"], b["status"], report["finished"]) == ("done", "done", True)
    folder = tmp_path / "out" / "a"
    for name in ("eval.json", "mesh.glb", "field.flr", "thumbnail.jpg"):
        assert (folder / name).stat().st_size > 0
    assert a["num_bytes"] == (folder / "field.flr").stat().st_size
    assert a["quality"] == json.loads((folder / "eval.json").read_text())["iou"]
    assert a["figures"]["fit"]["quality"] == open_run(folder / "run").results["fit"]["quality"]
    assert codec.decode((folder / "field.flr").read_bytes()).num_parameters == a["num_parameters"]

    # The same again: nothing is begun, and the results are the earlier ones.
    again, events = batch_of(text)
    assert began(events) == []
    assert all(item["reused"] and item["status"] == "done" for item in again["items"])
    assert again["by_name"]["a"]["quality"] == a["quality"]

    # A file is gone, and one more is wanted: the fit is not made again.
    fit, mesh = open_run(folder / "run").results["fit"], (folder / "mesh.glb").read_bytes()
    (folder / "mesh.glb").unlink()
    assert "render" not in text
    text = text.replace("[eval, mesh, compress]", "[eval, mesh, compress, render]")
    third, events = batch_of(text)
    assert began(events) == ["a"]
    assert (folder / "mesh.glb").read_bytes() == mesh
    assert third["by_name"]["a"]["files"].count("view.png") == 1
    assert open_run(folder / "run").results["fit"]["seconds"] == fit["seconds"]

    # Another seed for one: it is done anew, the other is left alone, and what is not wanted goes.
    text = text.replace("size: 40x30", "seed: 2").replace("mesh, compress, render", "compress")
    fourth, events = batch_of(text)
    assert began(events) == ["a"]
    assert fourth["by_name"]["a"]["quality"] != a["quality"]
    assert fourth["by_name"]["b"]["reused"] is True
    assert not (folder / "mesh.glb").exists()


@pytest.mark.slow
def test_a_study_and_a_video_are_outputs_too(shapes, batch_of, tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="needs fieldlr[video]")
    pytest.importorskip("plotly", reason="needs fieldlr[study]")
    study = "outputs: [study], backbones: [full], ranks: [1], narrow: false"
    text = f"""\
defaults: {QUICK}
items:
  - {{source: shapes/a.npy, {study}}}
  - {{source: shapes/b.npy, outputs: [video], frames: 2, size: 32x32}}
"""
    report, _ = batch_of(text)
    assert [item["status"] for item in report["items"]] == ["done", "done"], report["items"]
    assert (tmp_path / "out" / "a" / "study" / "rd.html").exists()
    assert not (tmp_path / "out" / "a" / "run").exists()
    assert (tmp_path / "out" / "b" / "view.mp4").stat().st_size > 0
    _, events = batch_of(text)
    assert events == []


@pytest.mark.slow
def test_a_changed_source_is_fitted_again(shapes, batch_of):
    text = f"defaults: {QUICK}\nitems: [{{source: shapes/a.npy, outputs: []}}]"
    first, _ = batch_of(text)
    os.utime(shapes / "a.npy", (0, 0))
    touched, _ = batch_of(text)
    assert touched["items"][0]["figures"]["fit"] == first["items"][0]["figures"]["fit"]
    np.save(shapes / "a.npy", np.load(shapes / "c.npy"))
    changed, _ = batch_of(text)
    assert changed["items"][0]["quality"] != first["items"][0]["quality"]


def test_failed_items_are_reported_and_the_rest_is_done(shapes, batch_of, tmp_path):
    """The source of the second item goes once the first is under way; so does that of the first."""

    def remove(event, batch):
        if event.name == "a" and event.kind == "progress" and event.data["step"] == "fit":
            (shapes / "a.npy").unlink(missing_ok=True)
            (shapes / "b.npy").unlink(missing_ok=True)

    report, _ = batch_of(
        f"defaults: {QUICK}\nitems: [{{source: shapes/*.npy, outputs: [eval, compress]}}]",
        each=remove,
        workers=1,
    )
    status = {name: item["status"] for name, item in report["by_name"].items()}
    assert status == {"a": "done", "b": "failed", "c": "done"}
    assert "b.npy does not" in report["by_name"]["b"]["error"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "b.npy does not" in page
    assert "data:image/jpeg;base64," in page
    assert 'href="a/field.flr"' in page
    assert re.findall(r"https?://|<script|<link|@import", page) == []


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_one_attempt(shapes, batch_of, tmp_path):
    """kill -9 after the first checkpoint: the fit goes on from there."""
    run, killed = tmp_path / "out" / "a" / "run", []

    def kill(event, batch):
        if event.kind == "progress" and not killed and (run / "checkpoint.safetensors").exists():
            killed.append(open_run(run).load_checkpoint()[1]["seconds"])
            (child,) = psutil.Process().children()
            child.kill()

    text = "items: [{source: shapes/a.npy, width: 16, seconds: 8, outputs: [compress]}]"
    report, events = batch_of(text, each=kill)
    assert began(events) == ["a", "a"]
    (item,) = report["items"]
    assert item["status"] == "done"
    assert "killed" in item["retried"][0]
    assert killed[0] > 0.0
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    steps = [report["step"] for report in history]
    assert steps == sorted(set(steps))
    # Nothing was trained twice but what came after the checkpoint.
    assert history[-1]["seconds"] == pytest.approx(8.0, abs=1.0)


def test_two_batches_do_not_share_a_folder(shapes, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(f"defaults: {QUICK}\nitems: [{{source: shapes/a.npy}}]")
    manifest = read_manifest(path)
    first = Batch(manifest, tmp_path / "out")
    with pytest.raises(FieldlrError, match="another batch is using"):
        Batch(manifest, tmp_path / "out")
    first.close()
    Batch(manifest, tmp_path / "out").close()


def test_a_folder_that_cannot_be_is_a_sentence(shapes, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(f"defaults: {QUICK}\nitems: [{{source: shapes/a.npy}}]")
    (tmp_path / "file").touch()
    with pytest.raises(FieldlrError, match="cannot be created"):
        Batch(read_manifest(path), tmp_path / "file" / "out")


def fieldlr(*words):
    words = [sys.executable, "-m", "fieldlr", *map(str, words)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-C", "kill -9"])
def test_an_interrupted_batch_resumes(shapes, tmp_path, how):
    path, out = tmp_path / "manifest.yaml", tmp_path / "out"
    path.write_text("items: [{source: shapes/*.npy, width: 16, seconds: 6, outputs: [compress]}]")
    words = ["batch", path, "--out", out, "--json"]
    batch = fieldlr(*words)
    until = time.monotonic() + PATIENCE_SECONDS
    while not (out / "b" / "run" / "history.jsonl").exists():
        assert time.monotonic() < until and batch.poll() is None
        time.sleep(0.05)
    batch.send_signal(how)
    said, errors = batch.communicate(timeout=PATIENCE_SECONDS)
    status = {
        i["name"]: i["status"] for i in json.loads((out / "report.json").read_text())["items"]
    }
    assert status == {"a": "done", "b": "skipped", "c": "skipped"}
    if how == signal.SIGINT:
        assert batch.returncode == 3, errors
        assert json.loads(said)["items"][1]["error"].startswith("stopped")
        assert "stopped with 1 of 3" in errors
    again = fieldlr(*words)
    said, errors = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, errors
    items = json.loads(said)["items"]
    assert [item["status"] for item in items] == ["done"] * 3
    assert [item.get("reused", False) for item in items] == [True, False, False]
    assert not list(out.rglob("*.part-*"))


@pytest.mark.slow
def test_exit_codes(shapes, tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text("items: [{sorce: shapes/a.npy}]")
    bad = fieldlr("batch", path, "--out", tmp_path / "out")
    assert "line 1" in bad.communicate(timeout=PATIENCE_SECONDS)[1]
    assert bad.returncode == 2
    (shapes / "broken.ply").write_bytes(b"ply\nnot a mesh")
    path.write_text(
        f"defaults: {QUICK}\nitems: [{{source: shapes/a.npy}}, {{source: shapes/*.ply}}]"
    )
    some = fieldlr("batch", path, "--out", tmp_path / "out", "--json")
    said, errors = some.communicate(timeout=PATIENCE_SECONDS)
    assert some.returncode == 4, errors
    assert "Traceback" not in errors
    assert [item["status"] for item in json.loads(said)["items"]] == ["done", "failed"]


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system of its own in a folder; skips where that is not allowed."""
    mounted = []

    def mount(place, options):
        place.mkdir(exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            done = subprocess.run(words, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if done.returncode:
            pytest.skip(f"no file system may be mounted here ({done.stderr.strip()})")
        mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_read_only_folder_is_a_sentence(shapes, batch_of, disk, tmp_path):
    disk(tmp_path / "out", "ro,size=1m")
    with pytest.raises(FieldlrError, match="Read-only"):
        batch_of(f"defaults: {QUICK}\nitems: [{{source: shapes/a.npy}}]")


@pytest.mark.slow
def test_a_full_disk_keeps_finished_work(shapes, batch_of, disk, tmp_path):
    disk(tmp_path / "out", "size=1m")
    text = f"defaults: {QUICK}\nitems: [{{source: shapes/*.npy, outputs: [compress]}}]"

    def fill(event, batch):
        if event.name == "a" and event.kind == "done":
            with pytest.raises(OSError), open(tmp_path / "out" / "filler", "wb", 0) as file:
                while True:
                    file.write(bytes(1000))

    report, _ = batch_of(text, each=fill, workers=1)
    assert report["by_name"]["a"]["status"] == "done"
    (tmp_path / "out" / "filler").unlink()
    again, events = batch_of(text)
    assert {item["status"] for item in again["items"]} == {"done"}
    assert again["by_name"]["a"]["reused"] is True
    assert sorted(began(events)) == ["b", "c"]


def test_a_lock_is_gone_with_its_process(tmp_path):
    script = "import sys, time\nfrom pathlib import Path\nfrom fieldlr.system.files import lock\n"
    script += "with lock(Path(sys.argv[1])) as held:\n    print(held, flush=True)\n"
    script += "    time.sleep(60)\n"
    words = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        with lock(tmp_path / "lock") as held:
            assert not held
        holder.kill()
    with lock(tmp_path / "lock") as held:
        assert held
