"""Jobs with real processes: they queue, end, stop, go on, and survive what is killed nearby."""

import os
import signal
import time

import numpy as np
import pytest

from fieldlr.errors import FieldlrError
from fieldlr.jobs import JobStore
from fieldlr.jobs.processes import is_alive, start_time
from fieldlr.jobs.store import CLAIMED
from fieldlr.system.json import write_json

PATIENCE_SECONDS = 60.0
ENDLESS = 1_000_000  # steps: a fit that a test ends


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "workspace")


@pytest.fixture
def cube(tmp_path):
    solid = np.zeros((24, 24, 24), bool)
    solid[6:18, 5:19, 7:17] = True
    path = tmp_path / "cube.npy"
    np.save(path, solid)
    return path


def wait(store, job, *states):
    """The state, once it is one of these."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (state := store.state(store.get(job.id))) not in states:
        assert time.monotonic() < until, (state, store.log(job))
        time.sleep(0.05)
    return state


def wait_for_training(store, name):
    history = store.workspace / "runs" / name / "history.jsonl"
    until = time.monotonic() + PATIENCE_SECONDS
    while not (history.exists() and history.stat().st_size):
        assert time.monotonic() < until
        time.sleep(0.05)


def fit(store, cube, name, *words):
    out = store.workspace / "runs" / name
    words = [str(w) for w in ("fit", cube, "--out", out, "--width", 16, *words)]
    return store.submit(words, name, {"run": str(out)})


def test_a_job_runs_and_leaves_its_result(store, cube):
    job = fit(store, cube, "short", "--steps", 5)
    assert wait(store, job, "done", "failed") == "done"
    assert store.result(store.get(job.id))["steps"] == 5
    assert store.reason(store.get(job.id)) == ""


def test_one_after_the_other_in_the_order_of_asking(store, cube):
    jobs = [fit(store, cube, f"n{i}", "--steps", 5) for i in range(2)]
    assert [job.id for job in store.jobs()] == [job.id for job in jobs]
    for job in jobs:
        assert wait(store, job, "done", "failed") == "done"
    first, second = (store.get(job.id) for job in jobs)
    ended = store.path(first.id, "end.json").stat().st_mtime
    assert store.path(second.id, "process-0.json").stat().st_mtime > ended


def test_an_error_is_reported_in_a_sentence(store):
    job = store.submit(["fit", "/nowhere/at/all", "--out", "x"], "nothing")
    assert wait(store, job, "failed", "done") == "failed"
    assert "/nowhere/at/all" in store.reason(store.get(job.id))
    assert "Traceback" not in store.reason(store.get(job.id))


def test_stop_saves_and_resume_continues(store, cube):
    job = fit(store, cube, "long", "--steps", ENDLESS)
    wait(store, job, "running")
    wait_for_training(store, "long")
    store.stop(job.id)
    assert wait(store, job, "stopped", "failed", "done") == "stopped"
    steps = store.result(store.get(job.id))["steps"]
    words = [*job.words[:-1], str(steps + 3), "--resume"]
    store.resume(job.id, words)
    assert wait(store, job, "done", "failed") == "done", store.reason(store.get(job.id))
    assert store.result(store.get(job.id))["steps"] == steps + 3


def test_a_job_outlives_its_keeper_and_the_next_one_notes_its_end(store, cube):
    job = fit(store, cube, "survivor", "--steps", ENDLESS)
    wait(store, job, "running")
    # A process group of its own each: killing the keepers leaves the job.
    from fieldlr.jobs.store import KEEPERS

    for keeper in KEEPERS:
        keeper.kill()
        keeper.wait()
    assert store.state(store.get(job.id)) == "running"
    wait_for_training(store, "survivor")
    later = fit(store, cube, "later", "--steps", 3)  # wakes another keeper
    store.stop(job.id)
    assert wait(store, job, "done", "failed", "stopped") == "stopped"
    assert wait(store, later, "done", "failed") == "done"
    assert store.result(store.get(job.id))["steps"] > 0


def test_a_killed_job_is_reported_as_killed(store, cube):
    job = fit(store, cube, "victim", "--steps", ENDLESS)
    wait(store, job, "running")
    os.kill(store.pid(job), signal.SIGKILL)
    assert wait(store, job, "failed", "done", "stopped") == "failed"
    assert "killed" in store.reason(store.get(job.id))


def test_a_job_waiting_in_the_queue_can_be_stopped(store, cube):
    first = fit(store, cube, "first", "--steps", ENDLESS)
    second = fit(store, cube, "second", "--steps", 3)
    wait(store, first, "running")
    store.stop(second.id)
    assert store.state(store.get(second.id)) == "stopped"
    store.stop(first.id)
    wait(store, first, "stopped")
    assert store.pid(second) is None


def test_two_keepers_do_not_run_one_job_twice(store, cube):
    """A keeper that dies after it has started a process leaves a job that looks as if it waited."""
    job = fit(store, cube, "once", "--steps", 50)
    other = store.start(job)
    assert wait(store, job, "done", "failed") == "done"
    assert other.wait() in (0, CLAIMED)
    assert store.result(store.get(job.id))["steps"] == 50


def test_asking_twice_to_stop_still_saves(store, cube):
    job = fit(store, cube, "twice", "--steps", ENDLESS)
    wait_for_training(store, "twice")
    store.stop(job.id)
    store.stop(job.id)
    assert wait(store, job, "stopped", "failed", "done") == "stopped"
    assert (store.workspace / "runs" / "twice" / "checkpoint.safetensors").exists()


def test_delete_and_undo(store, cube):
    job = fit(store, cube, "gone", "--steps", 3)
    wait(store, job, "done")
    store.delete(job.id)
    assert store.jobs() == []
    with pytest.raises(FieldlrError, match="no job"):
        store.get(job.id)
    store.undelete(job.id)
    assert store.state(store.get(job.id)) == "done"


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "/etc"])
def test_names_with_path_separators_are_refused(store, name):
    with pytest.raises(FieldlrError, match=r"no job|no run is selected"):
        store.get(name)
    with pytest.raises(FieldlrError):
        store.undelete(name)


def test_a_corrupt_job_file_does_not_affect_other_jobs(store, cube):
    job = fit(store, cube, "good", "--steps", 3)
    (store.folder / "bad").mkdir()
    (store.folder / "bad" / "job.json").write_text("{")
    (store.folder / "worse").mkdir()
    write_json(store.folder / "worse" / "job.json", {"id": 1})
    assert [j.id for j in store.jobs()] == [job.id]
    wait(store, job, "done")


def test_a_reused_pid_is_not_the_job():
    own = os.getpid()
    assert is_alive(own, start_time(own))
    assert not is_alive(own, (start_time(own) or 0.0) - 1.0)
    assert not is_alive(2**22 + 1, 0.0)
