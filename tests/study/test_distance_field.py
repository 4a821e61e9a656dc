"""Codecs of others on signed distances: what they decode to comes from their bytes alone."""

import dataclasses
import sys

import numpy as np
import pytest

from fieldlr.data.volume import make_volume
from fieldlr.errors import FieldlrError
from fieldlr.metrics.shape import iou
from fieldlr.study.baselines import Search, distance_field, packers
from fieldlr.study.baselines.cells import between
from fieldlr.study.baselines.distance_field import (
    HEAD,
    CoarseDistances,
    DistanceField,
    DistanceSetting,
    distance_fields,
)
from fieldlr.training.tasks import OccupancyTask

ALL = [*packers.ARRAYS, *packers.PICTURES, *packers.VIDEOS]


def ball(shape=(44, 48, 40)):
    """A ball that slices are cut from, so that no axis is like another."""
    axes = np.meshgrid(*(np.arange(n) - 0.5 * n for n in shape), indexing="ij")
    return (sum(axis**2 for axis in axes) < 17.0**2) & (axes[0] < 9) & (axes[1] > -12)


@pytest.fixture(scope="module")
def coarse():
    return CoarseDistances(make_volume("ball", ball()))


@pytest.fixture(params=ALL, ids=lambda packer: packer.name)
def packer(request):
    if request.param in packers.VIDEOS:
        pytest.importorskip("imageio_ffmpeg", reason="needs fieldlr[video]")
    else:
        pytest.importorskip("imagecodecs", reason="needs fieldlr[comparison]")
    return request.param


def test_an_array_comes_back_and_more_bytes_are_nearer(packer, coarse):
    levels = np.clip(coarse.grid(4) / 6.0, -1.0, 1.0)
    files = [packer.pack(levels, i) for i in (0, len(packer.qualities) - 1)]
    assert len(files[0]) < len(files[1])
    off = [np.abs(packer.unpack(data, levels.shape) - levels).mean() for data in files]
    assert off[1] < 0.02 and off[1] < off[0]
    # A container is not stored: it is that of an empty array of this shape.
    assert len(files[1]) < len(packer.encode(levels, packer.qualities[-1])) + packers.HEAD.size


def test_the_figure_is_that_of_the_bytes(packer, coarse, monkeypatch):
    files = []
    whole = distance_field.decode
    monkeypatch.setattr(
        distance_field, "decode", lambda data, by: files.append(data) or whole(data, by)
    )
    num_bytes, figure = DistanceField(packer, coarse).measured(DistanceSetting(3, 1.5, 3))
    assert HEAD.unpack_from(files[0])[:3] == ball().shape
    assert {len(data) for data in files} == {num_bytes}
    assert figure == max(iou(ball(), whole(data, packer)) for data in files) > 0.9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_between_voxels_is_exact(axis):
    solid = np.zeros((24, 20, 16), bool)
    np.moveaxis(solid, axis, 0)[:10] = True
    coarse = CoarseDistances(make_volume("half", solid))
    expected = np.minimum(9.5 - np.arange(solid.shape[axis]), np.arange(solid.shape[axis]) + 0.5)
    middle = [n // 2 for n in solid.shape]
    middle[axis] = slice(None)
    assert np.allclose(coarse.distances[tuple(middle)], expected, atol=2.0)
    near = slice(8, 12)
    assert np.allclose(coarse.distances[tuple(middle)][near], expected[near])


@pytest.mark.parametrize("cubic", [False, True])
@pytest.mark.parametrize("size", [17, 24])
def test_interpolation_keeps_lines(cubic, size):
    weights = between(size, 4, cubic)
    assert weights.shape == (size, -(-size // 4))
    assert np.allclose(weights.sum(1), 1.0)
    centres = 4.0 * np.arange(weights.shape[1]) + 2.0
    inside = slice(6, 4 * (weights.shape[1] - 2))
    assert np.allclose((weights @ centres)[inside], (np.arange(size) + 0.5)[inside], atol=1e-4)


def test_a_search_stops_where_more_bytes_give_no_more(coarse, tmp_path, monkeypatch):
    pytest.importorskip("imagecodecs", reason="needs fieldlr[comparison]")
    monkeypatch.setattr(distance_field, "FACTORS", (8, 30))
    monkeypatch.setattr(distance_field, "CLIPS", (1.5,))
    baseline = DistanceField(packers.ARRAYS[0], coarse)
    search = Search(baseline, tmp_path, {})
    labels = list(search.reports())
    assert 2 < len(labels) < len(baseline.packer.qualities)
    assert all("cells of 8³" in label for label in labels)  # 30 would leave too few
    front = search.curve().points
    assert [p.num_bytes for p in front] == sorted(p.num_bytes for p in front)


def test_where_a_codec_fails_the_next_quality_is_tried(coarse, tmp_path, monkeypatch):
    pytest.importorskip("imagecodecs", reason="needs fieldlr[comparison]")
    monkeypatch.setattr(distance_field, "FACTORS", (6,))
    monkeypatch.setattr(distance_field, "CLIPS", (1.5,))
    sperr = packers.ARRAYS[0]

    def encode(levels, quality):
        if quality == sperr.qualities[1]:
            raise packers.CodecFailed("it crashed.")
        return sperr.encode(levels, quality)

    fragile = dataclasses.replace(sperr, encode=encode)
    search = Search(DistanceField(fragile, coarse), tmp_path, {})
    labels = list(search.reports())
    assert [search.tries[label] is None for label in labels[:3]] == [False, True, False]
    assert len(search.curve().points) >= 2


def test_without_the_codecs_a_sentence_says_so(coarse, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    monkeypatch.setattr(packers, "find_spec", lambda name: None)
    with pytest.raises(FieldlrError, match=r"fieldlr\[comparison\]"):
        distance_fields(OccupancyTask(coarse.volume))
