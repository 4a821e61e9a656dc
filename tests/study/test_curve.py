"""Rate-distortion curves and their file."""

import json

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.study import RDCurve, RDPoint, read_curve, write_curve

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
