"""Baselines: what they decode to comes from their bytes alone, and more bytes give more."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from fieldlr.data import open_source
from fieldlr.data.examples import example
from fieldlr.data.volume import make_volume
from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_figure
from fieldlr.metrics.curve_file import read_curve
from fieldlr.metrics.shape import iou
from fieldlr.study.baselines import Search, block_grid, draco_mesh, lossless, photos
from fieldlr.study.baselines.block_grid import BlockGrid, BlockSetting
from fieldlr.study.baselines.cells import cell_means
from fieldlr.study.baselines.draco_mesh import DracoMesh, DracoSetting, voxel_surface
from fieldlr.study.baselines.photos import PhotoSetting, StoredPhotos
from fieldlr.surface.cleaning import decimate
from fieldlr.training.tasks import OccupancyTask, RadianceTask

RESULTS = Path(__file__).resolve().parents[2] / "paper" / "results"


def ball(shape=(44, 48, 40)):
    """A ball that a slice is cut from, so that no axis is like another."""
    axes = np.meshgrid(*(np.arange(n) - 0.5 * n for n in shape), indexing="ij")
    return (sum(axis**2 for axis in axes) < 17.0**2) & (axes[0] < 9) & (axes[1] > -12)


@pytest.fixture
def task():
    return OccupancyTask(make_volume("ball", ball()))


def test_the_surface_of_voxels_gives_the_voxels_back():
    mesh = voxel_surface(make_volume("ball", ball()))
    assert mesh.is_watertight
    data = draco_mesh.encode(mesh, 16)
    assert (draco_mesh.decode(data, ball().shape) == ball()).all()


def test_a_mesh_emptied_by_smoothing_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(draco_mesh, "FACES", (250,))
    solid = np.zeros((12, 12, 12), bool)
    solid[:, 6] = True
    search = Search(DracoMesh(OccupancyTask(make_volume("sheet", solid))), tmp_path, {})
    labels = list(search.reports())
    assert any("smoothed 1" in label and search.tries[label] is None for label in labels)
    assert max(point.figure for point in search.curve().points) > 0.9
    again = Search(search.baseline, tmp_path, {})
    assert list(again.reports()) == [] and again.curve() == search.curve()


def test_the_surface_is_closed_where_the_solid_touches_the_border(monkeypatch):
    monkeypatch.setattr(draco_mesh, "SLAB_LAYERS", 3)
    solid = np.ones((7, 5, 6), bool)
    solid[0, 0, 0] = False
    mesh = voxel_surface(make_volume("block", solid))
    assert mesh.is_watertight
    assert (draco_mesh.decode(draco_mesh.encode(mesh, 16), solid.shape) == solid).all()


def test_a_smoothed_surface_is_the_same_however_it_is_cut(monkeypatch):
    whole = voxel_surface(make_volume("ball", ball()), 1.0)
    assert whole.is_watertight
    assert 0.97 < iou(ball(), draco_mesh.decode(draco_mesh.encode(whole, 16), ball().shape)) < 1.0
    monkeypatch.setattr(draco_mesh, "SLAB_LAYERS", 9)
    cut = voxel_surface(make_volume("ball", ball()), 1.0)
    assert len(cut.faces) == len(whole.faces)
    assert np.allclose(np.sort(cut.vertices, 0), np.sort(whole.vertices, 0), atol=1e-5)


def test_more_bytes_of_a_mesh_are_a_better_mesh(task):
    pytest.importorskip("fast_simplification")
    classic = DracoMesh(task)
    settings = [DracoSetting(60, 6), DracoSetting(250, 7), DracoSetting(1000, 9)]
    sizes, figures = zip(*map(classic.measured, settings), strict=True)
    assert list(sizes) == sorted(set(sizes)) and list(figures) == sorted(set(figures))
    assert figures[-1] > 0.95


def test_other_bits_are_tried_of_the_best_smoothing(task):
    classic = DracoMesh(task)
    first = classic.settings({})
    assert {setting.smoothing for setting in first} == set(draco_mesh.SMOOTHINGS)
    known = {one.label: [1, 0.5 + 0.1 * (one.smoothing == 0.7)] for one in first[:3]}
    more = set(classic.settings(known)) - set(first)
    assert {(one.num_faces, one.smoothing) for one in more} == {(250, 0.7)}
    assert {one.bits - first[0].bits for one in more} == {-1, 1}


def test_a_mesh_is_read_from_its_bytes(task):
    mesh = decimate(voxel_surface(task.volume), 200)
    data = draco_mesh.encode(mesh, 8)
    assert data[:5] == b"DRACO"
    assert 0.8 < iou(ball(), draco_mesh.decode(data, ball().shape)) < 1.0


def test_without_draco_a_sentence_says_so(task, monkeypatch):
    monkeypatch.setattr(draco_mesh, "find_spec", lambda name: None if name == "DracoPy" else name)
    with pytest.raises(FieldlrError, match=r"DracoPy.*fieldlr\[study,mesh\]"):
        DracoMesh(task)


def test_blocks_of_one_voxel_are_the_voxels():
    solid = ball()
    data = block_grid.encode(solid, BlockSetting(1, 3))
    assert (block_grid.decode(data) == solid).all()


def test_means_of_blocks_at_the_end_of_an_edge():
    solid = np.zeros((5, 4, 3), bool)
    solid[4:, 2:] = True
    means = cell_means(solid.astype(np.float32), 2)
    assert means.shape == (3, 2, 2)
    assert means[2, 1, 1] == means[2, 1, 0] == 1.0 and means.sum() == 2.0


def test_a_plane_is_read_back_between_the_centres_of_blocks():
    solid = np.zeros((32, 8, 8), bool)
    solid[:14] = True  # A block of 4 that is half full.
    assert (block_grid.decode(block_grid.encode(solid, BlockSetting(4, 32))) == solid).all()


def test_more_bytes_of_a_grid_are_a_better_grid(task):
    classic = BlockGrid(task)
    settings = [BlockSetting(block, 16) for block in (16, 8, 4, 2)]
    sizes, figures = zip(*map(classic.measured, settings), strict=True)
    assert list(sizes) == sorted(set(sizes)) and list(figures) == sorted(set(figures))
    blocks = [setting.block for setting in classic.settings({})]
    assert blocks and max(blocks) <= 20


@pytest.mark.parametrize("packer", lossless.PACKERS)
def test_lossless_is_lossless(task, packer):
    setting = lossless.LosslessSetting(packer)
    data = lossless.encode(ball(), setting)
    assert struct.unpack_from("<3H", data) == ball().shape
    assert (lossless.decode(data, setting) == ball()).all()
    num_bytes, figure = lossless.LosslessBits(task).measured(setting)
    assert num_bytes == len(data) < ball().size / 8 and figure == 1.0


@pytest.fixture(scope="module")
def scene_task():
    return RadianceTask(open_source(example("windmill"), downscale=4).content)


@pytest.mark.parametrize("format_name", photos.QUALITIES)
def test_more_bytes_of_a_picture_are_a_better_picture(scene_task, format_name):
    try:
        classic = StoredPhotos(format_name, scene_task)
    except FieldlrError as error:
        pytest.skip(str(error))
    low, high = (classic.measured(PhotoSetting(quality)) for quality in (10, 80))
    assert low[0] < high[0] and low[1] < high[1]
    assert classic.is_context and "for reference only" in classic.words


def test_a_picture_is_read_from_its_bytes():
    photo = torch.rand(16, 24, 3, generator=torch.Generator().manual_seed(0))
    data = photos.encode(photo, "JPEG", PhotoSetting(90))
    assert data[:2] == b"\xff\xd8" and photos.decode(data).shape == photo.shape


def test_every_setting_is_measured_once(task, tmp_path):
    search = Search(BlockGrid(task), tmp_path, {"content_hash": "a"})
    assert len(list(search.reports())) == len(search.baseline.settings({}))
    assert search.missing() == []
    again = Search(BlockGrid(task), tmp_path, {"content_hash": "a"})
    assert list(again.reports()) == [] and again.curve() == search.curve()
    curve = search.curve()
    figures = [point.figure for point in curve.points]
    assert figures == sorted(set(figures)) and curve.points[0].num_parameters is None
    with pytest.raises(FieldlrError, match="another source"):
        Search(BlockGrid(task), tmp_path, {"content_hash": "b"})


@pytest.mark.slow
def test_the_classics_of_the_statue_are_no_worse_than_before(data_dir, tmp_path):
    task = OccupancyTask(open_source(data_dir / "volumes" / "thai_statue.npz").content)
    for make in (DracoMesh, BlockGrid):
        search = Search(make(task), tmp_path, {})
        for _ in search.reports():
            pass
        name = f"classics-statue-frozen-{search.baseline.name.lower().replace(' ', '-')}.json"
        figure = bd_figure(read_curve(RESULTS / name), search.curve(), force=True)
        assert figure.bd_rate_percent < 0.0
