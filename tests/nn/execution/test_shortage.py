"""Work whose memory runs out goes on in smaller parts, with the same result."""

import subprocess
import sys

import pytest
import torch

pytest.importorskip("resource", reason="limits on memory are Unix's")

from fieldlr.errors import FieldlrError
from fieldlr.nn.execution import in_parts, ran_out

# In a process of its own: a limit on address space cannot be trusted to go away again.
CHILD = """
import resource, sys, torch
from tests.fuzz.trial import limited_memory
from fieldlr.data.volume import make_volume
from fieldlr.fields.config import FieldConfig
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask
from fieldlr.training.loop import FitConfig, fit
from fieldlr.training.state import start_fit

torch.set_num_threads(1)
grid = torch.zeros(40, 40, 40, dtype=torch.bool)
grid[10:30, 10:30, 10:30] = True


def new_state(points):
    settings = OccupancySettings(points_per_step=points, newton_after=None)
    task = OccupancyTask(make_volume("cube", grid.numpy()), settings)
    return start_fit(task, FieldConfig(width=16, depth=1), 0, torch.device("cpu"))


# oneDNN never makes a product again that it once found no room for: all are made before.
list(fit(new_state(1 << 18), FitConfig(steps=1)))
state = new_state(1 << 22)
task = state.task
with limited_memory(100 << 20):
    reports = list(fit(state, FitConfig(steps=3)))
print(state.step, state.halvings, task.settings.points_per_step, reports[-1].loss)
"""


def test_a_fit_beyond_memory_continues_with_a_smaller_batch():
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    step, halvings, points, loss = done.stdout.split()
    assert int(step) == 3 and int(halvings) > 0 and float(loss) < 2.0
    assert int(points) == (1 << 22) >> int(halvings)


def test_chunks_are_halved_until_they_fit_and_none_is_left_out():
    """Work on more than ten rows asks for what no machine has."""

    def work(part: slice) -> list[int]:
        rows = part.stop - part.start
        torch.empty(1 << 62 if rows > 10 else rows, dtype=torch.uint8)
        return list(range(part.start, part.stop))

    parts = list(in_parts(work, 100, 64))
    assert [row for part in parts for row in part] == list(range(100))
    assert max(map(len, parts)) == 8


def test_other_errors_pass_and_a_part_of_one_is_the_smallest():
    with pytest.raises(RuntimeError, match="shape"):
        list(in_parts(lambda part: torch.ones(2) @ torch.ones(3, 4), 10, 4))
    with pytest.raises(FieldlrError, match="not enough memory"):
        list(in_parts(lambda part: torch.empty(1 << 62, dtype=torch.uint8), 10, 4))


def test_only_shortages_are_shortages():
    assert ran_out(MemoryError()) and ran_out(torch.OutOfMemoryError())
    assert not ran_out(RuntimeError("CUDA error: device-side assert triggered"))
    assert not ran_out(ValueError("can't allocate memory"))
    assert ran_out(RuntimeError("could not create a primitive"))
    assert not ran_out(RuntimeError("could not create a primitive descriptor for a matmul"))


EVALUATING = """
import torch
from tests.fuzz.trial import limited_memory
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.spaces import Space

torch.set_num_threads(1)
field = OccupancyField(FieldConfig(), Space("box", Aabb((0.0,) * 3, (1.0,) * 3)))
points = torch.rand(1 << 18, 3)
with torch.no_grad(), limited_memory(150 << 20):
    print(len(field.level(points)))
"""


def test_evaluations_keep_no_activations_for_a_backward_pass():
    """It would be a gigabyte here."""
    done = subprocess.run([sys.executable, "-c", EVALUATING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 1 << 18
