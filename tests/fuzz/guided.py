"""The same guided by coverage: inputs that reach new code are the ones damaged next.

pip install atheris  (it has wheels for some versions of CPython on Linux)
python -m tests.fuzz.guided "transforms.json" --minutes 5

It ends at the first traceback, and says then which input did it; else with "Done N runs".
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fieldlr", "trimesh"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS
    from tests.fuzz.trial import Trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=5.0)
    asked = parser.parse_args()
    with Trial(TARGETS[asked.format]) as trial, tempfile.TemporaryDirectory() as corpus:
        name = trial.open_to_damage[0]
        (Path(corpus) / "whole").write_bytes(trial.files[name])

        def attempt(data: bytes) -> None:
            problem = trial.read(trial.files | {name: data})
            if problem:
                raise RuntimeError(problem)

        seconds = round(60 * asked.minutes)
        options = [
            f"-max_total_time={seconds}",
            "-timeout=15",
            "-rss_limit_mb=3000",
            "-len_control=0",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
