"""Batches over real Dask schedulers and workers on this machine, some of which die."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest

from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import WorkItem
from fieldlr.runs import open_run

pytest.importorskip("distributed", reason="needs fieldlr[cluster]")
from fieldlr.jobs.workers.cluster import run_on_cluster

QUICK = "{width: 16, steps: 30, outputs: [compress]}"


class Cluster:
    """A scheduler and workers, each a process that can be killed with all that it started."""

    def __init__(self, folder: Path, host: str = "127.0.0.1"):
        self.folder, self.host, self.processes = folder, host, []
        with socket.socket() as free:
            free.bind((host, 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://{host}:{self.port}"
        self.start_scheduler()

    def start_scheduler(self):
        words = ["scheduler", "--host", self.host, "--port", self.port, "--no-dashboard"]
        self.scheduler, until = self._start(words), time.monotonic() + 60.0
        while not self._listens():
            assert time.monotonic() < until and self.scheduler.poll() is None
            time.sleep(0.2)

    def _listens(self):
        with socket.socket() as asking:
            return asking.connect_ex((self.host, self.port)) == 0

    def start_worker(self, *words, before=()):
        """A worker; `before` are the words that take it to another host."""
        return self._start(["worker", self.address, "--no-dashboard", *words], before)

    def _start(self, words, before=()):
        log = open(self.folder / f"{len(self.processes)}.log", "wb")
        with log:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "dask", *map(str, words)],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def kill(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self):
        for process in self.processes:
            self.kill(process)


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    yield made
    made.stop()


def on(cluster, tmp_path):
    """How a batch in `tmp_path` is carried out by a cluster."""
    return partial(run_on_cluster, cluster.address, folder=tmp_path / "out")


def status_of(report):
    return {name: item["status"] for name, item in report["by_name"].items()}


def test_three_items_over_two_workers(shapes, batch_of, cluster, tmp_path):
    cluster.start_worker("--nthreads", 1, "--no-nanny")
    cluster.start_worker("--nthreads", 1, "--no-nanny")
    (shapes / "c.npy").write_bytes(b"\x93NUMPY broken")
    text = f"defaults: {QUICK}\nitems: [{{source: shapes/*.npy}}]"
    report, events = batch_of(text, carry=on(cluster, tmp_path))
    assert status_of(report) == {"a": "done", "b": "done", "c": "failed"}
    assert "c.npy" in report["by_name"]["c"]["error"]
    assert len({event.data["where"] for event in events if event.kind == "began"}) == 2
    assert {event.name for event in events if event.kind == "progress"} >= {"a", "b"}
    # A folder that the workers do not have is refused before anything is asked of them.
    works = [WorkItem("x", "fieldlr.batch.child", {})]
    events = run_on_cluster(cluster.address, works, tmp_path / "absent")
    with closing(events), pytest.raises(FieldlrError, match="does not see"):
        next(events)


def test_no_scheduler_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("fieldlr.jobs.workers.cluster.CONNECT_SECONDS", 1.0)
    works = [WorkItem("x", "fieldlr.batch.child", {})]
    for address in ("tcp://127.0.0.1:9", "not an address"):
        with pytest.raises(FieldlrError, match="no Dask scheduler responds"):
            next(run_on_cluster(address, works, tmp_path))


@pytest.mark.slow
def test_twelve_items_over_two_workers_one_of_which_is_killed(shapes, batch_of, cluster, tmp_path):
    """Workers of two threads have one GPU: they do one item at a time, and one of them dies."""
    workers = {}
    for name in ("first", "second"):
        words = ["--name", name, "--nthreads", 2, "--resources", "GPU=1", "--no-nanny"]
        workers[name] = cluster.start_worker(*words)
    victim, places, most = [], {}, []

    def kill(event, batch):
        if event.kind == "began":
            places[event.name] = event.data["where"]
        most.extend(len(items_of(worker)) for worker in workers.values())
        run = tmp_path / "out" / event.name / "run"
        if event.kind == "progress" and event.name >= "a 04" and not victim:
            if (run / "checkpoint.safetensors").exists():
                seconds = open_run(run).load_checkpoint()[1]["seconds"]
                victim.append((event.name, places[event.name], seconds))
                cluster.kill(next(w for n, w in workers.items() if serves(w, victim[0][1])))

    items = [f"{{source: shapes/a.npy, name: a {n:02}, seed: {n}}}" for n in range(12)]
    text = "defaults: {width: 16, seconds: 10, outputs: [compress]}\nitems: [" + ", ".join(items)
    report, events = batch_of(text + "]", carry=on(cluster, tmp_path), each=kill)
    assert set(status_of(report).values()) == {"done"}
    assert len(report["items"]) == 12
    (name, where, seconds) = victim[0]
    assert max(most) == 1
    moved = [e for e in events if e.kind == "began" and e.name == name]
    assert [e.data["where"] == where for e in moved] == [True, False]
    assert where in report["by_name"][name]["retried"][0]
    # It went on from the checkpoint that the killed worker's process had left.
    run = open_run(tmp_path / "out" / name / "run")
    assert seconds > 0.0
    assert run.results["fit"]["seconds"] == pytest.approx(10.0, abs=1.0)
    assert not list((tmp_path / "out").rglob("*.part-*"))


def items_of(worker):
    """The processes of items that a worker has under way."""
    if worker.poll() is not None:
        return []
    children = psutil.Process(worker.pid).children()
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


def serves(process, address):
    """Whether a process listens at an address of Dask's."""
    port = int(address.rpartition(":")[2])
    own = psutil.Process(process.pid)
    return any(c.laddr and c.laddr.port == port for c in own.net_connections())


@pytest.mark.slow
def test_a_restarted_scheduler_gets_the_missing_items(shapes, batch_of, cluster, tmp_path):
    cluster.start_worker("--nthreads", 1, "--no-nanny")
    restarted = []

    def restart(event, batch):
        if event.name == "b" and event.kind == "progress" and not restarted:
            restarted.append(True)
            cluster.kill(cluster.scheduler)
            time.sleep(3.0)
            cluster.start_scheduler()
            cluster.start_worker("--nthreads", 1, "--no-nanny")

    text = "items: [{source: shapes/*.npy, width: 16, seconds: 3, outputs: [compress]}]"
    report, events = batch_of(text, carry=on(cluster, tmp_path), each=restart)
    assert restarted
    assert set(status_of(report).values()) == {"done"}
    assert [event.name for event in events if event.kind == "began"].count("a") == 1


def run(*words):
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture
def hosts():
    """{name of a network namespace: its cable}: two of them, joined to this one at 10.86.0.1."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need ip and root")
    bridge = f"flr{os.getpid() % 10_000}"
    cables = {f"{bridge}-{number}": f"{bridge}v{number}" for number in (2, 3)}
    try:
        run("ip", "link", "add", bridge, "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network may be made here ({error.stderr.decode().strip()})")
    try:
        run("ip", "address", "add", "10.86.0.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        for name, cable in cables.items():
            run("ip", "netns", "add", name)
            run("ip", "link", "add", cable, "type", "veth", "peer", "eth0", "netns", name)
            run("ip", "link", "set", cable, "master", bridge, "up")
            run("ip", "-n", name, "address", "add", f"10.86.0.{name[-1]}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", name, "link", "set", "lo", "up")
        yield cables
    finally:
        for name in cables:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], capture_output=True)


@pytest.mark.slow
def test_a_host_that_loses_its_network(shapes, batch_of, hosts, tmp_path, monkeypatch):
    """Its items go to the other host; the cut one gives up its work, and nothing is mixed up."""
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "12s")
    (tmp_path / "cluster").mkdir()
    cluster, pulled = Cluster(tmp_path / "cluster", "10.86.0.1"), []
    for name in hosts:
        cluster.start_worker("--nthreads", 1, "--no-nanny", before=("ip", "netns", "exec", name))
    where = {}

    def pull(event, batch):
        if event.kind == "began":
            where.setdefault(event.name, []).append(event.data["where"])
        if event.name == "b" and event.kind == "progress" and not pulled:
            host = where["b"][0].partition("//")[2].partition(":")[0]
            pulled.append(host)
            name = next(name for name in hosts if name[-1] == host[-1])
            run("ip", "link", "set", hosts[name], "down")

    try:
        text = "items: [{source: shapes/*.npy, width: 16, seconds: 10, outputs: [compress]}]"
        report, _ = batch_of(text, carry=on(cluster, tmp_path), each=pull)
    finally:
        cluster.stop()
    assert pulled
    assert set(status_of(report).values()) == {"done"}
    assert len(where["b"]) == 2
    assert pulled[0] in where["b"][0]
    assert pulled[0] not in where["b"][1]
