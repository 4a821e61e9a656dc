"""Does everything install from wheels on other Pythons? Resolves them and installs nothing.

    python .ci/wheels.py 3.13 3.14

Extras and the development group are included. Markers of fieldlr's own dependencies are evaluated
for the Python that is asked for; those of other packages, as pip does it, for the one that runs.
"""

import subprocess
import sys
import tempfile
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())


def requirements(python: str) -> list[str]:
    """All requirements of the project that hold for a version of Python."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    groups = [line for group in PROJECT["dependency-groups"].values() for line in group]
    lines = [*project["dependencies"], *groups, *chain(*extras)]
    named = [line for line in lines if isinstance(line, str)]  # the others include a group
    found = [Requirement(line) for line in named if not line.startswith("fieldlr[")]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    return [
        f"{one.name}{'[' + ','.join(one.extras) + ']' if one.extras else ''}{one.specifier}"
        for one in found
        if one.marker is None or one.marker.evaluate(environment)
    ]


def resolves(python: str) -> bool:
    """Whether pip finds wheels for all of them; what it prints says what it would install."""
    with tempfile.TemporaryDirectory() as target:
        words = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        words += ["--target", target, "--only-binary=:all:", "--python-version", python]
        done = subprocess.run([*words, *requirements(python)], capture_output=True, text=True)
    found = done.returncode == 0
    count = len(done.stdout.splitlines()[-1].split()) - 2  # after "Would install"
    why = f"{count} packages" if found else done.stderr.strip()
    print(f"Python {python}: {'all from wheels' if found else 'NOT all from wheels'}, {why}")
    return found


if __name__ == "__main__":
    sys.exit(not all([resolves(python) for python in sys.argv[1:] or ["3.13", "3.14"]]))
