"""What a plot says of curves, and that it is drawn as a file of its own."""

import dataclasses

import pytest

from fieldlr.metrics.bd import bd_table
from fieldlr.metrics.curve import RDCurve, RDPoint
from fieldlr.pictures.curve_page import write_page
from fieldlr.pictures.curves import draw_svg
from fieldlr.study.drawing import plot_of

POINTS = tuple(
    RDPoint(f"k={k}", 900 * k + 5 * seed, 1000 * k, 0.9 + 0.01 * k + 0.001 * seed, seed)
    for k in (1, 2, 5)
    for seed in (0, 1)
)
CURVE = RDCurve("sine-low-rank", "iou", POINTS, "two thin <matrices>")
DROPPED = RDPoint("k=9", 5000, 9000, 0.5, 0)
LOSSLESS = RDCurve("lossless bits", "iou", (RDPoint("bz2", 9000, None, 1.0, 0),), "every voxel")
PART = dataclasses.replace(CURVE, name="sine-low-rank 6 bits", config={"only_bits": 6.0})


def test_a_plot_says_what_each_point_is():
    plot = plot_of([CURVE], "a shape")
    (series,) = plot.series
    first = series.marks[0]
    assert first.x == pytest.approx(902.5, abs=0.01) and first.low < first.y < first.high
    assert "900 bytes" not in first.text and "902 bytes" in first.text
    for words in ("1,000 parameters", "IoU 0.9105", "0.9100 to 0.9110 over 2 seeds"):
        assert words in first.text
    assert "two thin <matrices>" in plot.notes[0] and "bytes" in plot.x_label
    assert plot_of([CURVE], "", "params").series[0].marks[0].x == pytest.approx(1000.0)


def test_points_off_the_front_are_named_and_stay_in_the_plot():
    plot = plot_of([dataclasses.replace(CURVE, points=(*POINTS, DROPPED))], "a shape")
    assert len(plot.series[0].marks) == 3
    assert [mark.x for mark in plot.series[0].aside] == pytest.approx([5000.0])
    assert any("sine-low-rank k=9" in note for note in plot.notes)


def test_lossless_points_are_drawn_as_a_limit():
    plot = plot_of([CURVE, LOSSLESS], "a shape")
    assert [one.name for one in plot.series] == ["sine-low-rank"]
    (limit,) = plot.limits
    assert limit.x == pytest.approx(9000.0) and "9,000 bytes" in limit.name
    assert plot_of([CURVE, LOSSLESS], "", "params").limits == []


def test_curves_of_one_bit_width_have_the_colour_of_all_and_are_hidden_at_first():
    whole, part = plot_of([CURVE, PART], "a shape").series
    assert part.detail and not whole.detail and part.family == whole.family


def test_a_drawing_and_a_page_hold_it_all(tmp_path):
    curves = [CURVE, LOSSLESS, PART]
    plot = plot_of(curves, "a <shape>")
    draw_svg(plot, tmp_path / "rd.svg")
    write_page(
        plot, bd_table([CURVE, dataclasses.replace(CURVE, name="twin")]), tmp_path / "x.html"
    )
    assert "<svg" in (tmp_path / "rd.svg").read_text()
    page = (tmp_path / "x.html").read_text()
    assert "two thin &lt;matrices&gt;" in page and "<shape>" not in page
    assert "+0.0 %" in page and "https://" not in page.partition("<script")[0]
