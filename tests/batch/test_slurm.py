"""The recipe of docs/batch.md on a real Slurm: workers are its jobs, and one is cancelled."""

import shutil
import subprocess
from contextlib import closing
from functools import partial

import pytest

pytest.importorskip("distributed", reason="needs fieldlr[cluster]")
pytest.importorskip("dask_jobqueue", reason="needs pip install dask-jobqueue")
from dask_jobqueue import SLURMCluster

from fieldlr.jobs.workers.cluster import run_on_cluster


@pytest.fixture
def slurm(tmp_path):
    """Two jobs of a core each, as a cluster of dask-jobqueue."""
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("needs a Slurm that answers (sinfo)")
    cluster = SLURMCluster(
        cores=1,
        processes=1,
        memory="2GB",
        walltime="00:20:00",
        worker_extra_args=["--nthreads", "1"],
        log_directory=str(tmp_path / "logs"),
        scheduler_options={"dashboard": False},
    )
    with closing(cluster):
        cluster.scale(jobs=2)
        yield cluster


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # dask-jobqueue's own
def test_a_job_that_is_cancelled_costs_one_attempt(shapes, batch_of, slurm, tmp_path):
    places, cancelled = {}, []

    def cancel(event, batch):
        if event.kind == "began":
            places[event.name] = event.data["where"]
        checkpoint = tmp_path / "out" / event.name / "run/checkpoint.safetensors"
        if event.kind == "progress" and not cancelled and checkpoint.exists():
            worker = slurm.scheduler_info["workers"][places[event.name]]["name"]
            subprocess.run(["scancel", slurm.workers[worker].job_id], check=True)
            cancelled.append(event.name)

    text = "defaults: {width: 16, seconds: 10}\nitems: [{source: shapes/*.npy}]"
    carry = partial(run_on_cluster, slurm.scheduler_address, folder=tmp_path / "out")
    report, events = batch_of(text, carry=carry, each=cancel)
    assert [item["status"] for item in report["items"]] == ["done"] * 3
    moved = [e.data["where"] for e in events if e.kind == "began" and e.name == cancelled[0]]
    assert len(moved) == 2
    assert moved[0] != moved[1]
