"""Plots of curves."""

from fieldlr.pictures.curves import Series, styles


def test_fifty_curves_look_different():
    series = [Series(str(index), ()) for index in range(50)]
    assert len(set(styles(series))) == 50
