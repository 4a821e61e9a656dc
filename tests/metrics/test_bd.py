"""Bjontegaard deltas: laws, the reference package, and the paper's own figures."""

import dataclasses

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_figure, bd_table
from fieldlr.metrics.curve import RDCurve, RDPoint

RATES = (7568, 26274, 48704, 138424, 273004)
LOW_RANK = (14.00, 20.01, 22.12, 24.42, 25.59)
SINE = (19.77, 23.11, 24.39, 25.86, 26.36)
# The example in the README of the package bjontegaard.
EXAMPLE = (
    ((9487.76, 4593.60, 2486.44, 1358.24), (40.037, 38.615, 36.845, 34.851)),
    ((9787.80, 4469.00, 2451.52, 1356.24), (40.121, 38.651, 36.970, 34.987)),
)


def curve(rates, qualities, name="curve", seeds=(0,), measure="psnr_db", shift=0.1):
    """A point a rate, seeds apart by `shift`."""
    points = [
        RDPoint(f"point {i}", round(100 * rate), round(100 * rate), quality + shift * seed, seed)
        for i, (rate, quality) in enumerate(zip(rates, qualities, strict=True))
        for seed in seeds
    ]
    return RDCurve(name, measure, tuple(points))


PAPER = curve(RATES, LOW_RANK, "low-rank"), curve(RATES, SINE, "sine-low-rank")


def test_the_papers_own_figures():
    figure = bd_figure(*PAPER, rate="params", force=True)
    assert figure.bd_rate_percent == pytest.approx(-64.7246, abs=1e-3)
    assert figure.bd_quality_db == pytest.approx(2.7160, abs=1e-3)
    assert figure.overlap == pytest.approx(0.471, abs=1e-3)
    assert figure.interval is None


@pytest.mark.parametrize(
    ("method", "expected"), [("akima", -4.4252), ("pchip", -4.4174), ("cubic", -4.4204)]
)
def test_the_example_of_the_reference_package(method, expected):
    figure = bd_figure(*(curve(*pair) for pair in EXAMPLE), method=method)
    assert figure.bd_rate_percent == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("method", ["akima", "pchip", "cubic"])
def test_a_curve_against_itself_has_a_bd_rate_of_zero(method):
    figure = bd_figure(PAPER[0], PAPER[0], method=method)
    assert figure.bd_rate_percent == 0.0 and figure.bd_quality_db == 0.0


def test_twice_the_bytes_are_a_hundred_percent():
    twice = curve([2 * rate for rate in RATES], SINE)
    figure = bd_figure(PAPER[1], twice, force=True)
    assert figure.bd_rate_percent == pytest.approx(100.0)


def test_exchanged_curves_undo_each_other():
    there, back = (bd_figure(*pair, force=True) for pair in (PAPER, PAPER[::-1]))
    assert (1 + there.bd_rate_percent / 100) * (1 + back.bd_rate_percent / 100) == pytest.approx(1)
    assert there.bd_quality_db == pytest.approx(-back.bd_quality_db)


def test_a_small_overlap_is_refused():
    with pytest.raises(FieldlrError, match="overlap by 47 %"):
        bd_figure(*PAPER)


def test_no_overlap_is_refused_even_with_force():
    with pytest.raises(FieldlrError, match="do not overlap"):
        bd_figure(PAPER[0], curve(RATES, [q + 50 for q in SINE]), force=True)


def test_two_measures_are_refused():
    with pytest.raises(FieldlrError, match="Compare curves with the same measure"):
        bd_figure(PAPER[0], curve((1, 2, 3), (0.7, 0.8, 0.9), measure="iou"))


def test_points_off_the_front_are_dropped_by_name():
    worse = curve((*RATES, 300000), (*SINE, 20.0))
    figure = bd_figure(PAPER[1], worse)
    assert figure.dropped == ("curve point 5",)
    assert figure.bd_rate_percent == pytest.approx(0.0)


def test_a_table_compares_like_with_like():
    whole, other = PAPER
    parts = [
        dataclasses.replace(c, name=f"{c.name} 6 bits", config={"only_bits": 6.0}) for c in PAPER
    ]
    context = dataclasses.replace(whole, name="JPEG", config={"context": True})
    rows = bd_table([whole, other, *parts, context])
    pairs = {(row["anchor"], row["test"]) for row in rows}
    assert pairs == {
        ("low-rank", "sine-low-rank"),
        ("sine-low-rank", "low-rank"),
        ("low-rank 6 bits", "sine-low-rank 6 bits"),
        ("sine-low-rank 6 bits", "low-rank 6 bits"),
    }
    assert all("overlap by 47 %" in row["refused"] for row in rows)


def test_a_table_names_dropped_points_even_without_a_figure():
    worse = curve((*RATES, 300000), (*SINE, 20.0), "worse")
    rows = bd_table([PAPER[0], worse])
    assert [row["dropped"] for row in rows] == [["worse point 5"]] * 2


def test_too_few_points_are_refused():
    with pytest.raises(FieldlrError, match="cubic needs 4 points"):
        bd_figure(curve((1, 2), (20, 21)), curve((1, 2), (20, 21)), method="cubic")


def test_seeds_give_an_interval_that_holds_the_figure():
    pair = [curve(RATES, qualities, seeds=(0, 1, 2), shift=0.4) for qualities in (SINE, LOW_RANK)]
    figure = bd_figure(*pair, force=True)
    low, high = figure.interval
    assert low < figure.bd_rate_percent < high
    assert bd_figure(*pair, force=True) == figure


def test_a_point_of_one_seed_takes_the_spread_of_the_others():
    three = [curve(RATES, qualities, seeds=(0, 1, 2)) for qualities in (SINE, LOW_RANK)]
    fewer = [
        dataclasses.replace(
            c, points=tuple(p for p in c.points if p.point != "point 2" or not p.seed)
        )
        for c in three
    ]
    (low, high), (less, more) = (bd_figure(*pair, force=True).interval for pair in (three, fewer))
    assert 0.9 * (high - low) < more - less


def test_curves_that_cannot_be_compared_are_refused():
    context = dataclasses.replace(PAPER[0], name="JPEG", config={"context": True})
    with pytest.raises(FieldlrError, match="JPEG has another measure"):
        bd_figure(context, PAPER[1], force=True)
    exact = curve((1, 2), (1.0, 1.0), measure="iou")
    with pytest.raises(FieldlrError, match="curve is lossless"):
        bd_figure(exact, curve((1, 2), (0.8, 0.9), measure="iou"))


@pytest.mark.parametrize("method", ["akima", "pchip", "cubic"])
def test_against_the_reference_package(method):
    reference = pytest.importorskip("bjontegaard", reason="bjontegaard is not installed")
    theirs = reference.bd_rate(RATES, LOW_RANK, RATES, SINE, method=method, min_overlap=0)
    ours = bd_figure(*PAPER, rate="params", method=method, force=True)
    assert ours.bd_rate_percent == pytest.approx(theirs, abs=1e-6)


def test_order_does_not_matter():
    shuffled = dataclasses.replace(PAPER[0], points=PAPER[0].points[::-1])
    assert shuffled.points == PAPER[0].points
