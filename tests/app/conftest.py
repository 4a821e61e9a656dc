"""A workspace, and small runs in it that real processes have trained."""

import importlib.util
import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fieldlr.app import forms
from fieldlr.app.sources import add, add_example
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.system.files import lock
from fieldlr.training.options import FitOptions

PATIENCE_SECONDS = 300.0


def _wait(workspace, job_id, *states):
    """The state of a job, once it is one of these."""
    store, until = workspace.store, time.monotonic() + PATIENCE_SECONDS
    while (state := store.state(store.get(job_id))) not in states:
        assert time.monotonic() < until, (state, store.log(store.get(job_id)))
        time.sleep(0.1)
    return state


@pytest.fixture(scope="session")
def servers():
    """The module that starts real servers; test folders are no packages, so it is read here."""
    path = Path(__file__).parent / "serving.py"
    spec = importlib.util.spec_from_file_location("serving", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wait():
    return _wait


def block_in(folder):
    """The file of a small solid, which is trained and measured in no time."""
    solid = np.zeros((32, 32, 32), bool)
    solid[8:24, 6:26, 9:22] = True
    # Dust, so that no field is ever exact: an exact one is a limit of a plot and no curve.
    solid ^= np.random.default_rng(0).random(solid.shape) < 0.005
    np.save(folder / "block.npy", solid)
    return folder / "block.npy"


@pytest.fixture(scope="session")
def block(tmp_path_factory):
    return block_in(tmp_path_factory.mktemp("block"))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """(viewer, id of a solid's run, id of a scene's run), both trained for a moment.

    Processes that test side by side copy the workspace of the one that came first. It lies as deep
    as its copies, because a run knows its source relative to itself.
    """
    folder = tmp_path_factory.mktemp("trained")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent / "shared" if "PYTEST_XDIST_WORKER" in os.environ else base
    first = shared / "first"
    first.mkdir(parents=True, exist_ok=True)
    with waited_for(first / "lock"):
        if not (first / "runs.json").exists():
            (first / "runs.json").write_text(json.dumps(_train(first)))
    shutil.copytree(first / "workspace", folder / "workspace")
    return Viewer(Workspace(folder / "workspace")), *json.loads((first / "runs.json").read_text())


@contextmanager
def waited_for(path):
    """Holds a lock, once others have let it go."""
    while True:
        with lock(path) as held:
            if held:
                yield
                return
        time.sleep(0.2)


def _train(folder):
    workspace = Workspace(folder / "workspace")
    block = add(workspace, [block_in(folder)])
    solid_run = forms.train(workspace, block, FitOptions.of(steps=400, width=32))
    scene = add_example(workspace, "windmill")
    scene_run = forms.train(workspace, scene, FitOptions.of(steps=100, downscale=8))
    for job_id in (solid_run, scene_run):
        assert _wait(workspace, job_id, "done", "failed") == "done"
    store, until = workspace.store, time.monotonic() + PATIENCE_SECONDS
    while not all(store.end(store.get(job_id)) for job_id in (solid_run, scene_run)):
        assert time.monotonic() < until  # A copy is of files that nobody writes any more.
        time.sleep(0.1)
    return solid_run, scene_run
