"""Curves of others: rates in any unit, results of CompressAI, tables of codecs."""

import json

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.metrics.bd import bd_figure
from fieldlr.metrics.curve import RDCurve, RDPoint, shared_rate
from fieldlr.metrics.curve_file import curve_of, read_curve, write_curve

RATES = {"anchor": [1310.7, 2621.4, 5242.9, 10485.8], "test": [1179.6, 2359.3, 4718.6, 9437.2]}
PSNR = [26.1, 28.4, 30.2, 31.7]


def figure(columns_of):
    """BD-rate of two curves whose rates are written by `columns_of`."""
    anchor, test = (curve_of(n, columns_of(r) | {"psnr": PSNR}) for n, r in RATES.items())
    return bd_figure(anchor, test).bd_rate_percent


@pytest.mark.parametrize("unit, size", [("bytes", 1.0), ("kilobytes", 1e3), ("KiB", 1024.0)])
def test_rates_keep_their_decimals_in_every_unit(unit, size):
    """The same files are the same figure, whatever they are counted in."""
    assert figure(lambda rates: {unit: [r / size for r in rates]}) == pytest.approx(
        figure(lambda rates: {"bits": [8 * r for r in rates]}), abs=1e-9
    )
    assert figure(lambda rates: {unit: [r / size for r in rates]}) == pytest.approx(-10.0, abs=0.01)


def test_bits_per_pixel_keep_their_decimals():
    assert figure(lambda rates: {"bpp": [8 * r / 65536 for r in rates]}) == pytest.approx(
        -10.0, abs=0.01
    )


def test_results_of_compressai(tmp_path):
    path = tmp_path / "bmshj.json"
    results = {
        "psnr-rgb": [27.58, 29.2, 30.97, 32.84],
        "ms-ssim-rgb": [0.9, 0.93, 0.95, 0.97],
        "bpp": [0.13, 0.21, 0.32, 0.48],
        "encoding_time": [0.1] * 4,
    }
    content = {"name": "bmshj2018-factorized", "description": "Inference (ans)", "results": results}
    path.write_text(json.dumps(content))
    curve = read_curve(path)
    assert (curve.name, curve.measure, curve.rates) == ("bmshj2018-factorized", "psnr_db", ("bpp",))
    assert [p.figure for p in curve.points] == results["psnr-rgb"]
    del results["psnr-rgb"]
    path.write_text(json.dumps(content))
    curve = read_curve(path)
    assert curve.measure == "ms_ssim" and curve.quality(curve.points[0]) == pytest.approx(10.0)
    write_curve(curve, tmp_path / "again.json")
    assert read_curve(tmp_path / "again.json") == curve


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_a_codec(tmp_path, delimiter):
    rows = [["Bitrate (kbps)", "PSNR-Y", "QP"], ["812.5", "33.1", "37"], ["1630.25", "36.2", "32"]]
    path = tmp_path / "vtm.csv"
    path.write_text("\ufeff# VTM\n" + "\n".join(delimiter.join(row) for row in rows) + "\n")
    curve = read_curve(path)
    assert (curve.name, curve.measure) == ("vtm", "psnr_y_db")
    assert [p.rates for p in curve.points] == [{"kbps": 812.5}, {"kbps": 1630.25}]


@pytest.mark.parametrize(
    "text, says",
    [
        ('{"name": "a", "results": {"size": [1], "psnr": [30]}}', "columns are size, psnr"),
        ('{"name": "a", "results": {"bpp": [1], "lpips": [0.1]}}', "columns are bpp, lpips"),
        ('{"name": "a", "results": {"bpp": [0.0], "psnr": [30]}}', "A rate is above 0"),
        ('{"name": "a", "results": {"bpp": [1, 2], "psnr": [30]}}', "equally long"),
        ('{"name": "a", "results": {"bpp": ["x"], "psnr": [30]}}', "bpp holds numbers; got x"),
        ('{"name": "a"}', "`results`"),
        ("[1, 2]", "not a curve"),
        ("bpp,psnr\n1,30,5\n", "line 2 has 3"),
        ("bpp,psnr\n", "a line for every point"),
        ("bpp,psnr\nlow,30\n", "bpp holds numbers; got low"),
        ("", "a line for every point"),
    ],
)
def test_a_table_that_is_not_a_curve_is_refused_with_its_columns(tmp_path, text, says):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(FieldlrError, match=says) as error:
        read_curve(path)
    assert str(path) in str(error.value)


def test_curves_are_compared_by_what_they_share():
    bytes_too = RDCurve("a", "psnr_db", (RDPoint("1", 900.5, 100, 30.0, 0),))
    pixels = RDCurve("b", "psnr_db", (RDPoint("1", None, None, 30.0, 0, "", {"bpp": 0.4}),))
    assert shared_rate([bytes_too, bytes_too]) == "bytes"
    assert shared_rate([bytes_too], "params") == "params"
    with pytest.raises(FieldlrError, match="a has bytes, params; b has bpp"):
        shared_rate([bytes_too, pixels])
    with pytest.raises(FieldlrError, match="b has no rate in bytes; it has bpp"):
        shared_rate([bytes_too, pixels], "bytes")
