"""Studies whose fits are made by processes give what those in one process give."""

from functools import partial

import numpy as np
import pytest

from fieldlr.errors import FieldlrError
from fieldlr.jobs.workers import run_local
from fieldlr.study.study import Study
from fieldlr.study.sweep import Sweep
from fieldlr.training.options import FitOptions

BASE = FitOptions.of(steps=20, width=32)


def study_of(folder, name):
    axes = np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij")
    np.save(folder / "ball.npy", sum(a * a for a in axes) < 0.5)
    sweep = Sweep(backbones=("low-rank",), ranks=(1, 2), narrow=False)
    return Study(folder / "ball.npy", folder / name, BASE, sweep)


@pytest.mark.slow
def test_a_study_over_processes_is_the_study(tmp_path):
    alone, spread = (study_of(tmp_path, name) for name in ("alone", "spread"))
    list(alone.reports())
    reports = list(spread.reports(partial(run_local, workers=2)))
    assert {report.title for report in reports} >= {entry.title for entry in spread.entries}
    assert spread.done == spread.entries
    for name in ("low-rank.json", "bd.json"):
        assert (tmp_path / "spread" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    # What is done is not made again.
    again = study_of(tmp_path, "spread")
    assert not any(r.doing == "training" for r in again.reports(partial(run_local, workers=2)))


@pytest.mark.slow
def test_a_fit_that_cannot_be_ends_the_study_in_its_sentence(tmp_path):
    study = study_of(tmp_path, "out")
    (tmp_path / "ball.npy").unlink()
    with pytest.raises(FieldlrError, match=r"low-rank k=1 seed 0: .*ball.npy"):
        list(study.reports(run_local))
