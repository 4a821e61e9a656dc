"""Curves and their figures from arrays."""

import numpy as np
import pytest

import fieldlr
from fieldlr import FieldlrError


def test_curves_from_arrays():
    psnr = np.array([26.0, 28.0, 30.0, 31.5])
    anchor = fieldlr.curve("anchor", np.array([0.1, 0.2, 0.4, 0.8]), psnr, unit="bpp")
    smaller = fieldlr.curve("test", 0.9 * np.array([0.1, 0.2, 0.4, 0.8]), psnr, unit="bpp")
    figure = fieldlr.bd(anchor, smaller)
    assert figure.bd_rate_percent == pytest.approx(-10.0)
    assert "BD-rate -10.00 %" in repr(figure)
    drawing = fieldlr.plot(anchor, smaller)
    assert drawing._repr_png_().startswith(b"\x89PNG") and "anchor" in repr(drawing)


def test_repeats_of_a_label_give_an_interval():
    labels = [f"k={k}" for k in (1, 2, 3, 4) for _ in range(3)]
    rates = np.repeat([100.0, 200.0, 400.0, 800.0], 3)
    noise = np.tile([0.0, 0.1, -0.1], 4)
    quality = np.repeat([26.0, 28.0, 30.0, 32.0], 3)
    anchor = fieldlr.curve("anchor", rates, quality + noise, labels=labels)
    other = fieldlr.curve("test", 0.9 * rates, quality - noise, labels=labels)
    low, high = fieldlr.bd(anchor, other).interval
    assert low < -10.0 < high


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: fieldlr.curve("x", [1.0], [30.0], unit="kilobites"), "kilobytes"),
        (lambda: fieldlr.curve("x", [1.0], [30.0], measure="psrn"), "psnr"),
        (lambda: fieldlr.curve("x", [1.0, 2.0], [30.0]), "one shape"),
        (lambda: fieldlr.curve("x", [0.0], [30.0]), "above 0"),
        (lambda: fieldlr.curve("x", [np.nan], [30.0]), "finite"),
        (lambda: fieldlr.plot(), "one curve"),
        (lambda: fieldlr.bd(*[fieldlr.curve("x", [1, 2], [3, 4])] * 2, method="akimba"), "akima"),
    ],
)
def test_a_mistake_is_named(make, says):
    with pytest.raises(FieldlrError, match=says):
        make()
