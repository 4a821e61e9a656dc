"""Soak test: concurrent load for minutes or hours, checking for leaks and leftovers.

python -m benchmarks.soak --minutes 60 [--pages 50] [--uploads 500] [--out soak.json]

One process fits, compresses, evaluates and makes meshes in a loop. Meanwhile an app server answers
clients that poll every second, and receives uploads, a third of which are corrupt. All on the
loopback address; Unix only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil
from gradio_client import Client, handle_file

from benchmarks.measure import machine
from fieldlr import load, reconstruct
from fieldlr.data.examples import example
from fieldlr.errors import FieldlrError
from fieldlr.jobs import JobStore
from fieldlr.runs import open_run
from fieldlr.runs.compress import compress
from fieldlr.runs.mesh import make_mesh
from fieldlr.runs.options import MeshOptions
from fieldlr.runs.pipeline import evaluate
from fieldlr.system.script import run_script
from tests.fuzz import seeds
from tests.fuzz.damage import damaged, random_edits

PATIENCE_SECONDS, PAGE_SECONDS = 120.0, 1.0
# The first share of rows, in which modules are loaded, is excluded from the comparison.
SETTLING = 0.25
UPLOADS = {
    "mesh.ply": lambda: seeds.mesh(".ply")["mesh.ply"],
    "mesh.glb": lambda: seeds.mesh(".glb")["mesh.glb"],
    "volume.npz": lambda: seeds.volume_npz()["volume.npz"],
}


@dataclass(frozen=True)
class Row:
    """Resources of the two processes at one moment."""

    seconds: float
    rounds: int
    uploads: int
    refused: int
    page_ms: float  # median latency of recent responses, and their 95th percentile
    page_ms_95: float
    mib: float
    threads: int
    files: int
    children: int
    server_mib: float
    server_threads: int
    server_files: int
    server_children: int


def holdings(process: psutil.Process) -> tuple[float, int, int, int]:
    """(MiB, threads, open files and sockets, children) of a process."""
    with process.oneshot():
        mib, threads = process.memory_info().rss / 2**20, process.num_threads()
    return mib, threads, process.num_fds(), len(process.children(recursive=True))


def work(folder: Path, seed: int) -> None:
    """One round: fits, compresses, evaluates and meshes a shape and a scene."""
    how = {
        "vase": {"grid": 48, "steps": 40, "width": 64},
        "windmill": {"downscale": 8, "steps": 10},
    }
    for name, options in how.items():
        place = folder / f"{name}-{seed}"
        run = reconstruct(example(name), place, seed=seed, **options)
        compress(run, place / "field.flr")
        evaluate(open_run(place), resolution=48)
        with suppress(FieldlrError):  # Such a short fit may have no surface.
            make_mesh(load(place / "field.flr"), MeshOptions(resolution=32))


class Pages:
    """Clients that poll every second and record latencies."""

    def __init__(self, address: str, count: int):
        self.address, self.ended, self.errors = address, threading.Event(), 0
        self.waits: list[float] = []
        self.threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _poll(self) -> None:
        with httpx.Client(timeout=PATIENCE_SECONDS) as client:
            client.get(self.address)
            while not self.ended.wait(PAGE_SECONDS * random.uniform(0.8, 1.2)):
                began = time.perf_counter()
                try:
                    good = client.get(f"{self.address}/fieldlr/jobs").status_code == 200
                except httpx.HTTPError:
                    good = False
                self.errors += not good
                self.waits.append(1000 * (time.perf_counter() - began))

    def recent(self) -> tuple[float, float]:
        """(median, 95th percentile) of recent latencies in ms."""
        waits = sorted(self.waits[-500:]) or [0.0]
        return statistics.median(waits), waits[int(0.95 * (len(waits) - 1))]

    def end(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60.0)


class Uploads:
    """Uploads files one by one, a third of them corrupt."""

    def __init__(self, address: str, folder: Path, total: int, seconds: float):
        patient = {"timeout": PATIENCE_SECONDS}
        self.client = Client(address, verbose=False, httpx_kwargs=patient)
        self.folder = folder
        self.total, self.pause = total, seconds / max(total, 1)
        self.taken, self.refused, self.unexpected = 0, 0, Counter()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self) -> None:
        draw, began = random.Random(0), time.monotonic()
        for number, name in zip(range(self.total), itertools.cycle(UPLOADS), strict=False):
            data = UPLOADS[name]()
            if number % 3 == 2:
                data = damaged(data, random_edits(draw)) or b"nothing"
            path = self.folder / name
            path.write_bytes(data)
            try:
                self.client.predict([handle_file(path)], api_name="/check")
                self.taken += 1
            except Exception as error:
                self._note(error)
            if self.ended.wait(max(0.0, began + (number + 1) * self.pause - time.monotonic())):
                return

    def _note(self, error: Exception) -> None:
        self.refused += 1
        if type(error).__name__ != "AppError" or not str(error).rstrip().endswith("."):
            self.unexpected[f"{type(error).__name__}: {str(error)[:120]}"] += 1

    def end(self) -> None:
        self.ended.set()
        self.thread.join(PATIENCE_SECONDS)
        self.client.close()


def start_server(workspace: Path) -> tuple[subprocess.Popen, str]:
    """Starts an app server and waits until it responds; returns it with its address."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    words = ["app", "--port", str(port), "--workspace", str(workspace)]
    server = subprocess.Popen([sys.executable, "-m", "fieldlr", *words])
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE_SECONDS
    while not answers(address):
        if time.monotonic() > until or server.poll() is not None:
            raise RuntimeError("the app did not start")
        time.sleep(0.2)
    return server, address


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/fieldlr/jobs", timeout=30.0).status_code == 200
    except httpx.TransportError:
        return False


def soak(folder: Path, seconds: float, num_pages: int, num_uploads: int) -> dict:
    """Runs the test; returns the rows of the table and the leftovers."""
    server, address = start_server(folder / "workspace")
    own, other, rows = psutil.Process(), psutil.Process(server.pid), []
    try:
        uploads = Uploads(address, folder, num_uploads, seconds)
        pages = Pages(address, num_pages)
    except BaseException:
        server.kill()
        raise
    began, rounds, shown = time.monotonic(), 0, 0.0
    print(
        " s  rounds  uploads refused  page ms  95 %  | own MiB threads files children | server ..."
    )
    try:
        while (now := time.monotonic() - began) < seconds:
            with tempfile.TemporaryDirectory(dir=folder) as place:
                work(Path(place), rounds)
            rounds += 1
            if now - shown >= seconds / 40 or not rows:
                shown = now
                sent = (uploads.taken + uploads.refused, uploads.refused)
                held = (*holdings(own), *holdings(other))
                rows.append(Row(now, rounds, *sent, *pages.recent(), *held))
                print(*(f"{value:>7.0f}" for value in asdict(rows[-1]).values()), flush=True)
    finally:
        pages.end()
        uploads.end()
        children = other.children(recursive=True)
        server.terminate()
        server.wait(PATIENCE_SECONDS)
    left = [child for child in psutil.wait_procs(children, 10.0)[1] if child.is_running()]
    return {
        "rows": [asdict(row) for row in rows],
        "page_errors": pages.errors,
        "uploads": uploads.taken + uploads.refused,
        "refused": uploads.refused,
        "unexpected": dict(uploads.unexpected),
        "processes_left": len(left),
        "sources": len(list((folder / "workspace/sources").glob("*/source.json"))),
        "sources_taken": uploads.taken,
        "folders_of_nothing": sum(
            not (place / "source.json").exists()
            for place in (folder / "workspace/sources").iterdir()
        ),
        "jobs": len(list(JobStore(folder / "workspace").jobs())),
    }


def growth(rows: list[dict], name: str) -> float:
    """The increase from the first to the last quarter of rows, after loading."""
    settled = [row[name] for row in rows[int(SETTLING * len(rows)) :]]
    part = max(1, len(settled) // 4)
    return statistics.median(settled[-part:]) - statistics.median(settled[:part])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), 60.0 * asked.minutes, asked.pages, asked.uploads)
    for name in [name for name in found["rows"][0] if name.endswith(("mib", "threads", "files"))]:
        found[f"{name}_growth"] = growth(found["rows"], name)
    asked.out.write_text(json.dumps({"machine": machine(), **found}, indent=1))
    for name, value in found.items():
        if name != "rows":
            print(f"{name.replace('_', ' '):>24}  {value}")


if __name__ == "__main__":
    run_script(main)
