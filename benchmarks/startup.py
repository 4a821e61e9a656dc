"""What every command costs before it works, beside importing torch; and what an idle server takes.

python -m benchmarks.startup [--rounds 5] [--out startup.json]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.measure import Report, machine, ratio, seconds, summary
from fieldlr.system.script import run_script

PORT = 7894
SETTLE_SECONDS, IDLE_SECONDS = 15.0, 20.0
BASELINE = ["-c", "import torch"]
# A new process each: what is timed ends with it.
COMMANDS = {
    "import_fieldlr": ["-c", "import fieldlr"],
    "version": ["-m", "fieldlr", "--version"],
    "help_of_fit": ["-m", "fieldlr", "fit", "--help"],
    "fit_of_one_step": ["-m", "fieldlr", "fit", "block.npy", "--steps", "1", "--width", "16"],
}


def processes(report: Report, folder: Path, rounds: int) -> None:
    """Seconds of each command, and how many times as long it takes as importing torch."""
    solid = np.zeros((24, 24, 24), bool)
    solid[4:20, 5:18, 6:17] = True
    np.save(folder / "block.npy", solid)
    count = iter(range(10**6))

    def run(words: list[str]):
        own = ["--out", f"run-{next(count)}"] if "--steps" in words else []
        command = [sys.executable, *words, *own]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    calls = [lambda words=words: run(words) for words in (BASELINE, *COMMANDS.values())]
    baseline, *times = seconds(*calls, rounds=rounds)
    report.add("import_torch", "s", *summary(baseline))
    for name, own in zip(COMMANDS, times, strict=True):
        report.add(name, "s", *summary(own))
        report.add(f"{name}_against_import_torch", "", *ratio(own, baseline))


def idle_server(report: Report, folder: Path) -> None:
    """Per cent of a core that the app takes while nobody uses it."""
    words = ["-m", "fieldlr", "app", "--port", str(PORT), "--workspace", str(folder / "workspace")]
    server = psutil.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    try:
        time.sleep(SETTLE_SECONDS)
        server.cpu_percent()
        time.sleep(IDLE_SECONDS)
        report.add("idle_server", "% of a core", server.cpu_percent(), at_most=1.0)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("startup.json"))
    arguments = parser.parse_args()
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        processes(report, Path(folder), arguments.rounds)
        idle_server(report, Path(folder))
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    run_script(main)
