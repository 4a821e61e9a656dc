"""Tables level by level: differences can be undone, unread rows cost nothing, sizes are kept."""

import math

import numpy as np
import pytest
import torch

from fieldlr import codec
from fieldlr.codec import cells
from fieldlr.codec.bit_allocation import quantisation_steps
from fieldlr.codec.levels import Level, coded_levels, stepped
from fieldlr.codec.quantisation import nearest_step
from fieldlr.codec.tensors import fit_model
from fieldlr.errors import FieldlrError
from fieldlr.nn.encodings import DenseGrid, HashGrid, Vm
from tests.codec import fields

ENCODINGS = [DenseGrid(3, 2, 4, 21), HashGrid(3, 2, 4, 40, 10), Vm(1, 3, 16, 16)]


@pytest.mark.parametrize("edges", [(), (2, 2, 2), (7, 7, 7), (5, 5), (9,)])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_coding_is_lossless(edges, share):
    random = np.random.default_rng(len(edges))
    rows = math.prod(edges) if edges else 50
    level = Level(random.random(rows) < share, edges)
    values = random.integers(-9, 10, (rows, 2))
    coded = level.coded(values)
    assert coded.shape == (level.read.sum(), 2)
    assert (level.decoded(coded) == values * level.read[:, None]).all()


def test_a_node_is_predicted_by_the_mean_of_those_before_it():
    values = np.zeros((8, 1), np.int64)
    values[3], values[5], values[6], values[7] = 4, 7, 9, 10
    level = Level(np.ones(8, bool), (2, 2, 2))
    assert level.coded(values)[7] == 10 - round((4 + 7 + 9) / 3)
    level.read[5] = False
    assert level.coded(values)[-1] == 10 - 7  # 6.5 is rounded up
    assert level.coded(values)[0] == 0


def test_a_smooth_level_takes_fewer_bits_than_its_values():
    axes = np.linspace(0.0, 1.0, 12)
    z, y, x = np.meshgrid(axes, axes, axes, indexing="ij")
    values = np.rint(40.0 * np.sin(3.0 * x + y) * np.cos(2.0 * z)).astype(np.int64).reshape(-1, 1)
    level = Level(np.ones(len(values), bool), (12, 12, 12))
    spread = [np.abs(own).mean() for own in (values, level.coded(values))]
    assert spread[1] < 0.4 * spread[0]
    assert fit_model(level.coded(values).ravel())[0].max_abs <= 2 * np.abs(values).max()


@pytest.mark.parametrize("encoding", ENCODINGS[:2], ids=lambda own: own.name)
def test_unused_rows_cost_no_bytes(encoding):
    field = fields.with_ball(fields.radiance(encoding), 0.2)
    steps = quantisation_steps(field, 6.0)
    size = len(codec.encode(field, about=fields.PHOTOS, steps=steps))
    with torch.no_grad():
        for name, level in coded_levels(field).items():
            stepped(field)[name][~torch.from_numpy(level.read)] = 0.3
    assert len(codec.encode(field, about=fields.PHOTOS, steps=steps)) == size


def test_lines_and_planes_find_the_cells_without_an_octree():
    field = fields.radiance(Vm(1, 3, 8, 8), width=16)
    with torch.no_grad():  # from mist to walls
        last = field.networks[0].trunk.linears[-1]
        field.networks[0].encoding.table.mul_(10.0)
        last.weight.mul_(4.0)
        last.bias[0] -= cells.densities(field).flatten()[::8].log().quantile(0.9)
    field.cell_occupied.copy_(cells.densities(field) > 1.0)
    steps = dict.fromkeys(stepped(field), nearest_step(1e-3))
    data = codec.encode(field, about=fields.PHOTOS, steps=steps)
    again = codec.decode(data)
    missed = field.cell_occupied & ~again.cell_occupied
    assert missed.sum() <= 2 * cells.MISSED * field.cell_occupied.sum()
    assert again.cell_occupied.float().mean() < 0.4
    encoding = field.networks[0].encoding
    assert len(coded_levels(field)) == 6 and all(p.read.all() for p in coded_levels(field).values())
    # What nothing reads is stored as zeros.
    unread = ~encoding.rows_read(field.cell_occupied)["table"]
    with torch.no_grad():
        encoding.table[unread] = 0.3
    assert codec.encode(field, about=fields.PHOTOS, steps=steps) == data


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda own: own.name)
def test_a_file_keeps_the_size_that_was_asked_for(encoding):
    field, about = fields.shape(encoding=encoding), codec.About("mesh")
    most = len(codec.encode(field)) * 3 // 4
    left = codec.bytes_left(field, about, most)
    steps = quantisation_steps(field, num_bytes=left)
    assert 0.85 * most < len(codec.encode(field, steps=steps)) <= most
    with pytest.raises(FieldlrError, match=r"at least \d+ bytes"):
        quantisation_steps(field, num_bytes=20)
    with pytest.raises(FieldlrError, match="Allow more"):
        codec.bytes_left(field, about, 40)
