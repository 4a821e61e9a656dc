"""Rate-distortion curves and their file."""

import json

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.metrics.curve_file import read_curve, write_curve

POINTS = tuple(
    RDPoint(f"k={k}", 4 * (1024 * k + 1793), 1024 * k + 1793, 0.9 + 0.01 * k + 0.001 * seed, seed)
    for k in (5, 1)
    for seed in (1, 0)
)
CURVE = RDCurve("sine-low-rank", "iou", POINTS, "a shape", {"seconds": 60})


def test_cheapest_first_and_seeds_together():
    assert [p.num_parameters for p in CURVE.points] == [2817, 2817, 6913, 6913]
    assert [(label, [p.seed for p in fits]) for label, fits in CURVE.groups()] == [
        ("k=1", [0, 1]),
        ("k=5", [0, 1]),
    ]


def test_quality_of_an_iou_is_in_db():
    assert CURVE.quality(RDPoint("", 1, 1, 0.9, 0)) == pytest.approx(10.0)
    assert CURVE.quality(RDPoint("", 1, 1, 0.99, 0)) == pytest.approx(20.0)


def test_the_front_leaves_out_what_costs_more_and_gives_no_more():
    figures = (("a", 100, 0.5), ("b", 200, 0.4), ("c", 200, 0.7), ("d", 300, 0.7), ("e", 400, 0.8))
    points = tuple(RDPoint(label, size, 1, figure, 0) for label, size, figure in figures)
    kept, dropped = RDCurve("curve", "iou", points).front("bytes")
    assert [spot.label for spot in kept] == ["a", "c", "e"]
    assert [spot.label for spot in dropped] == ["b", "d"]
    assert [spot.rate for spot in kept] == pytest.approx([100, 200, 400])


def test_the_front_is_of_means_over_the_seeds():
    points = [RDPoint("a", 100, 1, 0.5, 0), RDPoint("a", 100, 1, 0.9, 1)]
    points += [RDPoint("b", 120, 1, 0.7, 0), RDPoint("b", 480, 1, 0.7, 1)]
    curve = RDCurve("curve", "iou", tuple(points))
    (a,), (b,) = curve.front("bytes")  # In dB the mean of a is above 0.7.
    assert a.quality == pytest.approx(0.5 * sum(curve.quality(p) for p in points[:2]))
    assert b.rate == pytest.approx(240.0)


def test_baselines_have_no_parameters(tmp_path):
    curve = RDCurve("Draco mesh", "iou", (RDPoint("250 faces", 900, None, 0.8, 0),))
    write_curve(curve, tmp_path / curve.file_name)
    assert curve.file_name == "draco-mesh.json"
    assert read_curve(tmp_path / "draco-mesh.json") == curve
    with pytest.raises(FieldlrError, match="no parameters"):
        curve.front("params")


def test_a_curve_knows_the_files_of_its_points(tmp_path):
    curve = RDCurve("full", "iou", (RDPoint("full", 9, 1, 0.8, 0, "fits/full-seed-0/auto.flr"),))
    write_curve(curve, tmp_path / "full.json")
    assert read_curve(tmp_path / "full.json") == curve


def test_a_file_gives_the_curve_back(tmp_path):
    path = tmp_path / "curve.json"
    write_curve(CURVE, path)
    assert read_curve(path) == CURVE
    columns = json.loads(path.read_text())["results"]
    assert set(columns) == {"point", "bytes", "params", "iou", "seed"}
    assert {len(column) for column in columns.values()} == {4}


@pytest.mark.parametrize(
    "change",
    [
        {"results": None},
        {"results": {"point": ["a"], "bytes": [1], "params": [1], "seed": [0]}},
        {"results": {"point": ["a"], "bytes": [1, 2], "params": [1], "seed": [0], "iou": [0.5]}},
        {"results": {"point": ["a"], "bytes": [0], "params": [1], "seed": [0], "iou": [0.5]}},
        {"results": {"point": ["a"], "bytes": [1], "params": [1], "seed": [0], "iou": [1.5]}},
        {"results": {"point": ["a"], "bytes": [1], "params": [1], "seed": [0], "psnr_db": ["x"]}},
    ],
)
def test_a_broken_file_is_refused(tmp_path, change):
    path = tmp_path / "curve.json"
    write_curve(CURVE, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FieldlrError):
        read_curve(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FieldlrError, match="cannot be read"):
        read_curve(tmp_path / "none.json")
