"""Running the JavaScript of web/ from tests; they are skipped where Node.js is missing."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parents[1] / "web"
OLDEST = 20
SECONDS = 300


def node() -> str:
    """The path of a Node.js that is new enough."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("needs Node.js (Debian: apt-get install nodejs)")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    if int(version.lstrip("v").split(".")[0]) < OLDEST:
        pytest.skip(f"needs Node.js {OLDEST} or newer; found {version.strip()}")
    return path


def run(*words: str | Path, **environment: str) -> str:
    """What Node.js prints with these arguments; an assertion where it fails."""
    done = subprocess.run(
        [node(), *map(str, words)],
        cwd=WEB,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def evaluate(script: str) -> Any:
    """What a module's text writes with `give(value)`, as JSON."""
    text = f"const give = (value) => console.log(JSON.stringify(value));\n{script}"
    return json.loads(run("--input-type=module", "--eval", text))
