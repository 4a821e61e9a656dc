"""G-PCC's points as a solid: what they enclose, and what is counted of a stream."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

sys.path.append(str(Path(__file__).resolve().parents[2]))
from fieldlr.metrics.shape import iou
from studies import gpcc


def ball(shape=(30, 34, 26)):
    axes = np.meshgrid(*(np.arange(n) - 0.5 * n for n in shape), indexing="ij")
    return (sum(axis**2 for axis in axes) < 11.0**2) & (axes[0] < 6)


def levels_of(solid, closing=0, without=0):
    points = gpcc.surface_points(solid)[without:]
    shell = gpcc.cells_of(points, solid.shape, 1.0)
    inner = tuple(slice(gpcc.MARGIN, gpcc.MARGIN + n) for n in solid.shape)
    return np.where(shell, 0.5, gpcc.enclosed(shell, closing))[inner]


def test_surface_voxels_enclose_their_solid():
    levels = levels_of(ball())
    assert ((levels > 0.4) == ball()).all()
    assert 0 < (levels == 0.5).sum() == len(gpcc.surface_points(ball())) < ball().sum()


@pytest.mark.parametrize("closing", [1, 2, 4])
def test_gaps_are_closed(closing):
    open_shell = levels_of(ball(), without=1)
    assert ((open_shell > 0.4) == ball()).mean() < 0.9  # A missing point empties it.
    closed = levels_of(ball(), closing, without=1)
    assert ((closed > 0.4) != ball()).sum() <= 1


def test_the_best_threshold_counts():
    solid = ball()
    slabs = [levels_of(solid)[:13], levels_of(solid)[13:]]
    assert gpcc.best_iou(solid, slabs) == 1.0
    wide = np.where(solid, 0.55, 0.45)  # Of these thresholds 0.5 alone tells them apart.
    assert gpcc.best_iou(solid, [wide]) == 1.0
    assert gpcc.best_iou(solid, [np.full(solid.shape, 0.9)]) == pytest.approx(solid.mean())
    assert iou(solid, levels_of(solid) > 0.4) == 1.0


def test_parameter_sets_of_a_stream_are_not_counted():
    parts = [(0, b"set"), (1, b"other set"), (2, bytes(70)), (2, bytes(5))]
    stream = b"".join(struct.pack(">BI", kind, len(data)) + data for kind, data in parts)
    assert gpcc.num_geometry_bytes(stream) == 75


def test_points_are_written_as_others_read_them(tmp_path):
    points = gpcc.surface_points(ball())
    gpcc.write_points(tmp_path / "x.ply", points)
    assert np.array_equal(trimesh.load(tmp_path / "x.ply").vertices, points)
