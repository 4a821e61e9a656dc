"""An installed fieldlr has its examples: the wheel is built, unpacked elsewhere and used."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fieldlr.data.examples import EXAMPLES

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "fieldlr", "scenes", "meshes")


def run(arguments: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        arguments, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that holds what the wheel holds. It is built from a copy: a build leaves traces."""
    pytest.importorskip("setuptools", minversion="77", reason="building a wheel needs setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, target = REPOSITORY / name, folder / "source" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    run([sys.executable, "-W", "ignore", "-c", build], folder / "source")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_example_is_found_beside_the_installed_package(site, tmp_path):
    script = "from fieldlr.data.examples import *; print(*map(example, EXAMPLES), sep='\\n')"
    found = run([sys.executable, "-c", script], tmp_path, PYTHONPATH=str(site)).splitlines()
    assert len(found) == len(EXAMPLES)
    for path in map(Path, found):
        assert path.is_relative_to(site)
        original = REPOSITORY / path.relative_to(site / "fieldlr" / "examples_data")
        assert contents(path) == contents(original)


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}
