"""Crash tests: kill -9 at random moments, checks of all files, and a rerun of the same command.

    python -m benchmarks.crashes [KILLS] [--seed S] [--only fit,mesh] [--out crashes.json]

Each verb runs once undisturbed. Then it is killed at uniformly random moments of that duration,
except the first fifth (imports), up to KILLS_PER_FOLDER times in the same folder. After each kill
every file must be valid, and existing files must be either the old or the new version. The last run
is not killed: it must succeed, leave only results, and these must be byte for byte those of the
undisturbed run. A fault is survived if all this holds; a kill after the end does not count.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from fieldlr import codec
from fieldlr.errors import FieldlrError
from fieldlr.runs.tensors import read_tensors
from fieldlr.system.files import DRAFT
from fieldlr.system.script import run_script

KILLS_PER_FOLDER = 4
SMALL = "--width 64 --optimizer adam".split()
FIT = [*SMALL, *"--steps 400 --backbone sine-low-rank --rank 2".split()]
STUDY = [*SMALL, *"--steps 60 --backbones full,low-rank --ranks 1,2".split()]
MANIFEST = """\
defaults: {backbone: sine-low-rank, rank: 2, width: 64, steps: 200, optimizer: adam, resolution: 48}
items:
  - {source: ball.npy, outputs: [compress, mesh]}
  - {source: box.npy, outputs: [compress, eval]}
"""
# The command line of each verb, and the files that must equal those of the undisturbed run.
VERBS = {
    "fit": (["fit", "ball.npy", "--out", "out", "--resume", *FIT], ["out/field.safetensors"]),
    "compress": (["compress", "run", "--out", "out/x.flr"], ["out/x.flr"]),
    "mesh": (["mesh", "run", "--out", "out/x.glb", "--resolution", "160"], ["out/x.glb"]),
    "batch": (
        ["batch", "manifest.yaml", "--out", "out"],
        ["out/ball/field.flr", "out/ball/mesh.glb", "out/box/field.flr", "out/box/eval.json"],
    ),
    "study": (
        ["study", "ball.npy", "--out", "out", *STUDY],
        ["out/full.json", "out/low-rank.json", "out/bd.json"],
    ),
}


@dataclass
class Tally:
    """The results of one verb."""

    injected: int = 0
    lost: int = 0
    seconds: float = 0.0  # of the undisturbed run
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(VERBS))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    verbs, moments = asked.only.split(","), random.Random(asked.seed)
    tallies = {verb: Tally() for verb in verbs}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_inputs(root / "inputs")
        for index, verb in enumerate(verbs):
            kills = asked.kills // len(verbs) + (index < asked.kills % len(verbs))
            test_verb(verb, kills, root, moments, tallies[verb])
            print_line(verb, tallies[verb])
    injected, lost = (sum(getattr(t, n) for t in tallies.values()) for n in ("injected", "lost"))
    print(f"faults injected {injected}, survived {injected - lost}, lost {lost}")
    if asked.out:
        plain = {verb: vars(tally) for verb, tally in tallies.items()}
        asked.out.write_text(json.dumps(plain, indent=1))
    sys.exit(1 if lost else 0)


def print_line(verb: str, tally: Tally) -> None:
    print(
        f"{verb:9} {tally.injected:4} kills in runs of {tally.seconds:.1f} s, {tally.lost} lost",
        flush=True,
    )
    for text in tally.wrong:
        print("         ", text, flush=True)


def make_inputs(folder: Path) -> None:
    """Makes two small solids, a manifest, and a run for `compress` and `mesh`."""
    folder.mkdir()
    axes = np.meshgrid(*[np.linspace(-1, 1, 32)] * 3, indexing="ij")
    np.save(folder / "ball.npy", sum(a * a for a in axes) < 0.5)
    np.save(folder / "box.npy", np.maximum.reduce([abs(a) for a in axes]) < 0.6)
    (folder / "manifest.yaml").write_text(MANIFEST)
    words = ["fit", "ball.npy", "--out", "run", *FIT, "--quiet"]
    start(folder, words).wait()


def test_verb(verb: str, kills: int, root: Path, moments: random.Random, tally: Tally) -> None:
    """Kills a verb `kills` times in successive folders, and checks the final state of each."""
    words, same = VERBS[verb]
    plain = new_folder(root / f"{verb}-plain", root / "inputs", verb)
    began = time.perf_counter()
    finish(plain, words)
    tally.seconds = time.perf_counter() - began
    expected = {name: digest(plain / name) for name in same}
    if not all(expected.values()):
        raise FieldlrError(f"{verb} does not make {' '.join(n for n in same if not expected[n])}.")
    number = 0
    while tally.injected < kills:
        folder = new_folder(root / f"{verb}-{number}", root / "inputs", verb)
        most = min(KILLS_PER_FOLDER, kills - tally.injected)
        faults, wrong = kill_and_finish(folder, words, expected, most, moments, tally.seconds)
        tally.injected += faults
        if wrong:
            tally.lost += faults
            tally.wrong += [f"folder {number}: {text}" for text in wrong]
        else:
            shutil.rmtree(folder)
        number += 1


def new_folder(folder: Path, inputs: Path, verb: str) -> Path:
    """A folder with the inputs and, for verbs that replace a file, an earlier version of it."""
    shutil.copytree(inputs, folder)
    if verb in ("compress", "mesh"):
        target = folder / VERBS[verb][1][0]
        target.parent.mkdir()
        more = ["--bits", "4"] if verb == "compress" else ["--resolution", "24"]
        words = [*VERBS[verb][0][:4], *more, "--quiet"]
        start(folder, words).wait()
    return folder


def kill_and_finish(
    folder: Path,
    words: list[str],
    expected: dict[str, str],
    most: int,
    moments: random.Random,
    seconds: float,
) -> tuple[int, list[str]]:
    """Kills and checks repeatedly, then finishes: (kills, all errors found)."""
    kills, wrong, out = 0, [], folder / "out"
    while kills < most:
        # A fit and a study rewrite their results as they progress.
        growing = words[0] in ("fit", "study")
        earlier = {} if growing else {name: digest(folder / name) for name in expected}
        if not killed(start(folder, words), moments.uniform(0.2, 1.0) * seconds):
            break
        kills += 1
        wrong += invalid_files(out)
        for name, before in earlier.items():
            if before and digest(folder / name) not in (before, expected[name]):
                wrong.append(f"{name} is neither the old nor the new version")
    try:
        finish(folder, words)
    except FieldlrError as error:
        return kills, [*wrong, str(error)]
    wrong += invalid_files(out)
    wrong += [f"{path.name} is left over" for path in out.rglob(".*") if DRAFT.fullmatch(path.name)]
    wrong += [f"{name} differs" for name, own in expected.items() if digest(folder / name) != own]
    if left := processes_in(folder):
        wrong.append(f"processes are left over: {left}")
    return kills, wrong


def killed(process: subprocess.Popen, seconds: float) -> bool:
    """Kills a process after a time; False if it has ended before."""
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() != 0


def start(folder: Path, words: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "fieldlr", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=open(folder / "errors.txt", "wb"),
    )


def finish(folder: Path, words: list[str]) -> None:
    code = start(folder, words).wait()
    if code:
        errors = (folder / "errors.txt").read_text().strip().splitlines()
        raise FieldlrError(f"exit code {code}: {errors[-1] if errors else ''}")


def processes_in(folder: Path) -> list[int]:
    """Processes whose working directory is in a folder."""
    infos = [process.info for process in psutil.process_iter(["pid", "cwd"])]
    return [i["pid"] for i in infos if i["cwd"] and Path(i["cwd"]).is_relative_to(folder)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def invalid_files(folder: Path) -> list[str]:
    """An error for every invalid file."""
    wrong = []
    for path in sorted(folder.rglob("*")):
        check = CHECKS.get(path.suffix)
        if check is None or DRAFT.fullmatch(path.name):
            continue
        try:
            check(path)
        except (FieldlrError, ValueError, OSError) as error:
            wrong.append(f"{path.relative_to(folder)} is invalid: {error}")
    return wrong


def check_json(path: Path) -> None:
    json.loads(path.read_text())


def check_page(path: Path) -> None:
    if not path.read_text().rstrip().endswith(("</html>", "</svg>")):
        raise ValueError("truncated")


def check_glb(path: Path) -> None:
    data = path.read_bytes()
    if data[:4] != b"glTF" or int.from_bytes(data[8:12], "little") != len(data):
        raise ValueError("wrong length")


def check_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()


CHECKS = {
    ".json": check_json,
    ".html": check_page,
    ".svg": check_page,
    ".glb": check_glb,
    ".flr": lambda path: codec.decode(path.read_bytes()),
    ".safetensors": read_tensors,
    ".jpg": check_picture,
}


if __name__ == "__main__":
    run_script(main)
