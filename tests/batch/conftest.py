"""Small batches of small shapes."""

import json
from contextlib import closing
from functools import partial

import numpy as np
import pytest

from fieldlr.batch import Batch, read_manifest
from fieldlr.jobs.workers import run_local


def solid(shift: int = 0, size: int = 24) -> np.ndarray:
    axes = np.meshgrid(*[np.arange(size)] * 3, indexing="ij")
    return sum((a - size / 2 + shift) ** 2 for a in axes) < (size / 3) ** 2


@pytest.fixture
def shapes(tmp_path):
    """A folder with balls in it, a.npy and so on."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for shift, name in enumerate("abc"):
        np.save(folder / f"{name}.npy", solid(shift))
    return folder


@pytest.fixture
def batch_of(tmp_path):
    """Runs a batch from beginning to end: (the report, the events)."""

    def run(text, each=lambda event, batch: None, workers=2, carry=None):
        carry = carry or partial(run_local, workers=workers)
        path = tmp_path / "manifest.yaml"
        path.write_text(text)
        batch, events = Batch(read_manifest(path), tmp_path / "out"), []
        try:
            with closing(batch.reports(carry)) as reports:
                for report in reports:
                    if report.event is not None:
                        events.append(report.event)
                        each(report.event, batch)
        finally:
            batch.close()
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        report["by_name"] = {item["name"]: item for item in report["items"]}
        return report, events

    return run
