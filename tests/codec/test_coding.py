"""Tables and coder: whole numbers alone, close to the entropy, and the same with any coder."""

import hashlib

import numpy as np
import pytest
from scipy import stats
from scipy.special import xlogy

from fieldlr.codec import ans, byte_io, tables, tensors
from fieldlr.errors import FieldlrError

SOURCES = {
    "uniform": stats.uniform(-20.5, 41.0),
    "normal": stats.norm(0, 9.0),
    "wide normal": stats.norm(0, 400.0),
    "laplace": stats.laplace(0, 3.0),
    "mostly 0": stats.laplace(0, 0.3),
    "heavy": stats.t(2.5, 0, 4.0),
}
# What numpy gives with a fixed seed may change with its version; these laws may not.
LAWS_DIGEST = "3df33e7e84b88ba32bd090204deb57125a472451788b8eae553ccedcf35f4177"


def packed(whole: np.ndarray, restarts: np.ndarray | None = None) -> tuple[bytes, bytes]:
    """(model, symbols) of whole numbers as bytes."""
    model, coded = tensors.fit_model(whole, restarts)
    writer = byte_io.Writer()
    tensors.write_model(writer, model)
    return bytes(writer.data), ans.encode_symbols(coded)


def unpacked(
    model: bytes, data: bytes, count: int, restarts: np.ndarray | None = None
) -> np.ndarray:
    unpacker = ans.symbol_decoder(data)
    read = tensors.read_model(byte_io.Reader(model), ascending=restarts is not None)
    whole = tensors.read_integers(unpacker, read, count, restarts)
    unpacker.close()
    return whole


def every_law() -> list[np.ndarray]:
    distances = [np.abs(np.arange(-2 * reach, 2 * reach + 1, 2)) for reach in (1, 5, 60, 127)]
    distances.append(np.abs(2 * np.arange(-128, 128) + 1))
    return [
        tables.normalised(tables.law_weights(law, each))
        for each in distances
        for law in range(tables.UNIFORM + 1)
    ]


def test_every_table_gives_every_symbol_a_frequency_and_uses_all_of_them():
    for frequencies in every_law():
        assert frequencies.min() >= 1 and frequencies.sum() == tables.TOTAL


def test_the_distributions_never_change():
    laws = b"".join(frequencies.astype("<i4").tobytes() for frequencies in every_law())
    assert hashlib.sha256(laws).hexdigest() == LAWS_DIGEST


@pytest.mark.parametrize("power, exponent", enumerate([0.5, 1, 1.5, 2, 3, 4, 6]))
def test_a_law_equals_its_named_distribution(power, exponent):
    distances = np.abs(np.arange(-40, 41)) * 2
    x = distances / 80 * 2.0 ** (12 / 4 - 1)
    ideal = 2.0 ** -(x**exponent)
    frequencies = tables.normalised(tables.law_weights(power * tables.NUM_SCALES + 12, distances))
    share = frequencies / frequencies.sum()
    ideal /= ideal.sum()
    # Bits a symbol that the whole numbers cost beyond the formula.
    assert 0 <= xlogy(ideal, ideal / share).sum() / np.log(2) < 3e-3


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("count", [20_000, 1_000])
def test_the_bytes_are_within_a_hundredth_of_the_entropy(name, count):
    source = SOURCES[name]
    whole = np.rint(source.rvs(count, random_state=5)).astype(np.int64)
    model, data = packed(whole)
    # The bits that the source's own law gives its numbers.
    ideal = -np.log2(source.cdf(whole + 0.5) - source.cdf(whole - 0.5)).sum() / 8
    # Of the heavy tails no law here is exactly right, and a table is worth it in the long run.
    allowance = {"heavy": 0.02}.get(name, 0.01)
    assert len(data) + len(model) <= (1 + allowance) * ideal + 8
    np.testing.assert_array_equal(unpacked(model, data, count), whole)


def test_sorted_integers_cost_less_by_the_entropy_of_their_order():
    draw = np.random.default_rng(0)
    first, second = draw.integers(0, 60, 256), draw.integers(-40, 41, 256)
    order = np.lexsort((second, first))
    loose = len(packed(first)[1]) + len(packed(second)[1])
    first, second = first[order], second[order]
    begin = np.arange(256) == 0
    anew = np.diff(first, prepend=-1) != 0
    ordered = packed(first, begin), packed(second, anew)
    saved = 8 * (loose - sum(len(data) for _, data in ordered))
    assert saved > 0.93 * np.log2(np.arange(1, 257)).sum()
    np.testing.assert_array_equal(unpacked(*ordered[0], 256, begin), first)
    np.testing.assert_array_equal(unpacked(*ordered[1], 256, anew), second)


def test_both_coders_write_the_same_bytes_and_read_them(monkeypatch):
    pytest.importorskip("constriction", reason="constriction is not installed")
    generator = np.random.default_rng(1)
    for count in (0, 1, 2, 700):
        whole = np.rint(generator.laplace(0, 150.0, count)).astype(np.int64)
        monkeypatch.setattr(ans, "has_constriction", lambda: True)
        model, fast = packed(whole)
        np.testing.assert_array_equal(unpacked(model, fast, count), whole)
        monkeypatch.setattr(ans, "has_constriction", lambda: False)
        assert packed(whole) == (model, fast)
        np.testing.assert_array_equal(unpacked(model, fast, count), whole)


@pytest.mark.parametrize("fast", [False, True])
def test_symbols_that_leave_bytes_unread_are_an_error(monkeypatch, fast):
    if fast:
        pytest.importorskip("constriction", reason="constriction is not installed")
    monkeypatch.setattr(ans, "has_constriction", lambda: fast)
    model, data = packed(np.arange(-50, 50))
    with pytest.raises(FieldlrError, match="do not end"):
        unpacked(model, data, 99)
    with pytest.raises(FieldlrError, match="do not end"):
        unpacked(model, data + b"\1", 100)


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -300, 2**40])
def test_integers_come_back(value):
    writer = byte_io.Writer()
    writer.signed(value)
    assert byte_io.Reader(bytes(writer.data)).signed() == value


@pytest.mark.parametrize("value", [0.0, 0.1, -30.0, 115.2, 1e-300, 5e-324, 1 / 3, 1.7e308])
def test_decimal_fractions_are_exact_and_short(value):
    writer = byte_io.Writer()
    writer.decimal(value)
    assert byte_io.Reader(bytes(writer.data)).decimal() == value
    assert len(writer.data) <= (3 if value in (0.1, -30.0, 115.2) else 11)
