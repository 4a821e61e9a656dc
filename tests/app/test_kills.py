"""Processes killed at random moments: nothing finished is lost, and the page can say what was."""

import os
import random
import signal
import time

import httpx
import numpy as np
import pytest

from fieldlr.app import forms, sources
from fieldlr.app.workspace import Workspace
from fieldlr.runs import open_run
from fieldlr.training.options import FitOptions

pytest.importorskip("gradio", reason="needs fieldlr[app]")

TRIES = 20
ENDS = ("done", "failed", "stopped")


@pytest.mark.slow
def test_twenty_kills_lose_no_finished_work(servers, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    solid = np.zeros((24, 24, 24), bool)
    solid[4:20, 5:19, 6:18] = True
    np.save(tmp_path / "box.npy", solid)
    source = sources.add(workspace, [tmp_path / "box.npy"])
    moments, port = random.Random(0), servers.free_port()
    server = servers.start(workspace.folder, port)
    finished = {}
    for number in range(TRIES):
        # Every other training would be over before most kills; the rest go on beyond all of them.
        choice = FitOptions.of(seconds=1.0 if number % 2 else 60.0, width=32)
        job_id = forms.train(workspace, source, choice)
        time.sleep(moments.uniform(0.0, 12.0))
        job = workspace.store.get(job_id)
        pid = workspace.store.pid(job)
        if number % 4 < 2 and pid is not None and workspace.store.state(job) == "running":
            os.kill(pid, signal.SIGKILL)
        else:
            server.kill()
            server.wait()
            server = servers.start(workspace.folder, port)
        workspace.store.stop(job_id)
        until = time.monotonic() + servers.PATIENCE_SECONDS
        while (told := state_of(port, job_id))["state"] not in ENDS:
            assert time.monotonic() < until, told
            time.sleep(0.2)
        assert told["state"] == "done" or told["reason"]
        if told["state"] == "done":
            finished[job_id] = told["final_quality"]
        for earlier, quality in finished.items():
            assert state_of(port, earlier)["final_quality"] == quality
            assert open_run(workspace.run_folder(workspace.store.get(earlier))).load_field()
    # What was stopped in the middle goes on.
    forms.resume(workspace, job_id)
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    server.terminate()
    server.wait()
    workspace.store.stop(job_id)


def state_of(port, job_id):
    return httpx.get(f"http://127.0.0.1:{port}/fieldlr/jobs/{job_id}", timeout=30).json()
