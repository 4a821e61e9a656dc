"""Fixtures shared by all tests."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import typecheck

typecheck.install()

torch.set_flush_denormal(True)
CHROMIUM = Path("/usr/bin/chromium")
# Files of tests between two that use the browser.
BETWEEN = 20
REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items):
    """Files that wait for a browser come early, and apart: others keep the cores busy meanwhile."""
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting, busy = [], []
    for own in files.values():
        (waiting if own[0].get_closest_marker("browser") else busy).append(own)
    ordered = []
    while waiting or busy:
        ordered += waiting[:1] + busy[:BETWEEN]
        waiting, busy = waiting[1:], busy[BETWEEN:]
    items[:] = [item for own in ordered for item in own]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """No test depends on those that ran before it, or on luck."""
    typecheck.calls.clear()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real captures and scans: `FIELDLR_DATA`, by default ../shared/data beside the repository."""
    folder = Path(os.environ.get("FIELDLR_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set FIELDLR_DATA")
    return folder


@pytest.fixture(scope="module")
def browser():
    """Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as known:
        browser = known.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def cuda() -> torch.device:
    """An NVIDIA GPU, for tests marked `gpu`."""
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU that torch can use")
    return torch.device("cuda")
