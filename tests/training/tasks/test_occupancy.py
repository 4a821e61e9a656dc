"""What an occupancy task draws and counts."""

import numpy as np
import pytest
import torch

from fieldlr.data.volume import make_volume
from fieldlr.data.volume_file import read
from fieldlr.fields.config import FieldConfig
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.nn.encodings import DenseGrid
from fieldlr.training.tasks import occupancy
from fieldlr.training.tasks.occupancy import OccupancySettings, OccupancyTask


@pytest.fixture
def slab():
    """The half x < 8 of a cube of 16 voxels."""
    grid = np.zeros((16, 16, 16), bool)
    grid[:8] = True
    return OccupancyTask(make_volume("slab", grid), OccupancySettings(points_per_step=4096))


class Exact(OccupancyField):
    """A field that is right everywhere: a half space."""

    def __init__(self, where: float):
        torch.nn.Module.__init__(self)  # It has no network.
        self.where = torch.nn.Parameter(torch.tensor(where))

    def encoded(self, points):
        return points

    def mlp(self, points, dtype=None):
        return 10.0 * (self.where - points[:, :1])


def test_iou_counts_every_voxel(slab):
    assert slab.iou(Exact(8.0)) == 1.0
    assert slab.iou(Exact(6.0)) == pytest.approx(6 / 8)
    assert slab.iou(Exact(10.0)) == pytest.approx(8 / 10)
    assert slab.iou(Exact(-1.0)) == 0.0


def test_an_evaluation_with_a_budget_says_what_it_measured(slab, monkeypatch):
    whole = slab.evaluate(Exact(6.0))
    assert "measured_on" not in whole and slab.evaluate(Exact(6.0), budget=1) == whole
    total = slab.volume.num_voxels
    monkeypatch.setattr(occupancy, "FEWEST_VOXELS", total // 4)
    some = slab.evaluate(Exact(6.0), budget=1)
    assert some["measured_on"] == f"{total // 4:,} of {total:,} voxels"
    assert some["iou"] == pytest.approx(whole["iou"], abs=0.05)
    assert slab.evaluate(Exact(6.0), budget=1) == some
    assert slab.evaluate(Exact(6.0), budget=total) == whole


def test_half_of_the_points_lie_near_the_surface(slab, generator):
    voxels = slab.draw(4096, generator, torch.device("cpu"))
    x = slab.volume.centers(voxels)[:, 0]
    near = ((x - 8.0).abs() < 3.0).float().mean().item()
    # Half are drawn there, and of the other half 6 of 16 layers are.
    assert near == pytest.approx(0.5 + 0.5 * 6 / 16, abs=0.03)


def test_fused_and_plain_loss_agree(slab):
    field = slab.make_field(FieldConfig(width=16), torch.Generator().manual_seed(1))
    fused, count = slab.loss(field, torch.Generator().manual_seed(2), 0.0)
    voxels = slab.draw(4096, torch.Generator().manual_seed(2), torch.device("cpu"))
    target = slab.volume.occupied(voxels).float()
    logits = field.level(slab.volume.centers(voxels))
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    assert count == 4096
    assert fused.item() == pytest.approx(plain.item(), rel=0.01)  # bfloat16 where it is fast


def test_an_encoding_with_a_table_learns_too(slab):
    field = slab.make_field(
        FieldConfig(width=16, encoding=DenseGrid()), torch.Generator().manual_seed(1)
    )
    loss, _ = slab.loss(field, torch.Generator().manual_seed(2), 0.0)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in field.encoding.parameters())


def test_fast_signs_are_those_of_float32(data_dir):
    task = OccupancyTask(read(data_dir / "volumes" / "thai_statue.npz"))
    field = task.make_field(FieldConfig(), torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(task.parameter_groups(field))
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        loss, _ = task.loss(field, generator, 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    voxels = task.draw(16384, generator, torch.device("cpu"))
    points = task.volume.centers(voxels)
    from fieldlr.training.tasks.occupancy import field_signs

    with torch.no_grad():
        assert torch.equal(field_signs(field, points), field.level(points) > 0.0)
