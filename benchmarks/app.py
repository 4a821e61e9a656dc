"""The app's slowdown of a training, and the time to its first results. Takes 2.5 minutes.

python -m benchmarks.app [--out app.json]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from benchmarks.measure import Report, machine, summary
from fieldlr.app import exports, forms, sources
from fieldlr.app.live import History
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.runs.options import MeshOptions
from fieldlr.system.script import run_script
from fieldlr.training.options import FitOptions

PORT = 7893
CLIENTS, POLL_SECONDS = 10, 1.0
ROUNDS, ROUND_SECONDS = 4, 10.0


def wait_for(condition) -> None:
    while not condition():
        time.sleep(0.05)


def samples(run: Path) -> tuple[float, int]:
    """(now, samples trained so far)."""
    return time.perf_counter(), History(run / "history.jsonl").read()[-1]["samples"]


def speed(run: Path) -> float:
    """Samples per second, over ROUND_SECONDS."""
    began, before = samples(run)
    time.sleep(ROUND_SECONDS)
    ended, after = samples(run)
    return (after - before) / (ended - began)


class Clients:
    """CLIENTS web clients that poll a job and the queue every second."""

    def __init__(self, job_id: str):
        self.address = f"http://127.0.0.1:{PORT}/fieldlr/jobs/{job_id}"
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._poll) for _ in range(CLIENTS)]

    def _poll(self) -> None:
        with httpx.Client() as client:
            while not self.ended.wait(POLL_SECONDS):
                client.get(self.address)
                client.get(f"http://127.0.0.1:{PORT}/fieldlr/jobs")

    def __enter__(self):
        for thread in self.threads:
            thread.start()

    def __exit__(self, *problem):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def slowdown(workspace: Workspace) -> list[float]:
    """The slowdown by polling in percent, per round, alternating with and without polling."""
    source = sources.add_example(workspace, "rook")
    job_id = forms.train(workspace, source, FitOptions.of(seconds=600.0))
    run = workspace.run_folder(workspace.store.get(job_id))
    wait_for(lambda: len(History(run / "history.jsonl").read()) > 10)
    losses = []
    for _ in range(ROUNDS):
        alone = speed(run)
        with Clients(job_id):
            losses.append(100.0 * (1.0 - speed(run) / alone))
    workspace.store.stop(job_id)
    wait_for(lambda: workspace.store.state(workspace.store.get(job_id)) != "running")
    return losses


def first_results(workspace: Workspace) -> tuple[float, float, float]:
    """Seconds from the first step and from the first click to a picture, and to the mesh file.

    The first click is on an example; the preset is `quick`.
    """
    began = time.perf_counter()
    source = sources.add_example(workspace, "vase")
    job_id = forms.train(workspace, source, FitOptions())
    run = workspace.run_folder(workspace.store.get(job_id))
    wait_for(lambda: (run / "history.jsonl").exists())
    stepping = time.perf_counter()
    wait_for(lambda: (run / "preview.png").exists())
    picture = time.perf_counter()
    wait_for(lambda: workspace.store.state(workspace.store.get(job_id)) == "done")
    exports.export_mesh(Viewer(workspace), job_id, ".glb", MeshOptions())
    return picture - stepping, picture - began, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("app.json"))
    arguments = parser.parse_args()
    report = Report()
    print(", ".join(f"{key}: {value}" for key, value in machine().items()), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        words = ["app", "--port", str(PORT), "--workspace", str(workspace.folder)]
        server = subprocess.Popen([sys.executable, "-m", "fieldlr", *words])
        try:
            picture, clicked, mesh = first_results(workspace)
            report.add("app_first_picture_of_training", "s", picture, at_most=5.0)
            report.add("app_first_picture_from_first_click", "s", clicked)
            report.add("app_mesh_from_first_click", "s", mesh, at_most=120.0)
            report.add("app_ten_clients_cost", "%", *summary(slowdown(workspace)), at_most=10.0)
        finally:
            server.terminate()
            server.wait()
    report.save(arguments.out)
    print(report.verdict())


if __name__ == "__main__":
    run_script(main)
