"""Integer probability tables for symbols: a law named by one byte, or an explicit table.

A law is a generalised normal distribution of base 2, weight(x) = 2^-(x^p), in integer arithmetic
only, so that every machine computes the same one. x is the distance of a symbol from the centre in
units of a scale that the file states relative to the farthest symbol.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

# The sum of every table: the precision of `constriction`'s coders.
TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS
# The number of exponents p, and of scales for each, four per octave.
NUM_POWERS, NUM_SCALES = 7, 32
QUARTER_OCTAVES = np.array([64, 76, 91, 108])  # 64 * 2^(i / 4)
UNIFORM, EXPLICIT = NUM_POWERS * NUM_SCALES, NUM_POWERS * NUM_SCALES + 1
# The bits of the largest weight of an explicit table.
EXPLICIT_BITS = 34
# Exponents in units of 2^-16; weights below 2^-24 get the minimum frequency of 1 anyway.
ONE, MOST = 1 << 16, 24 << 16


def law_weights(law: int, distances: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """Weights (K,) of symbols at integer distances (K,) from the centre, by law 0 to UNIFORM."""
    if law == UNIFORM:
        return np.ones_like(distances)
    power, scale = divmod(law, NUM_SCALES)
    return _weights(power, np.array([scale]), distances)[0]


def all_law_weights(distances: Int[np.ndarray, " k"]) -> Int[np.ndarray, "laws k"]:
    """Weights (UNIFORM + 1, K) by every law."""
    scales = np.arange(NUM_SCALES)
    by_power = [_weights(power, scales, distances) for power in range(NUM_POWERS)]
    return np.concatenate([*by_power, np.ones_like(distances)[None]])


def _weights(power: int, scales: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Weights (S, K) by the laws of one power with scales (S,)."""
    shifts = scales[:, None] // 4 + 9
    x = (distances * QUARTER_OCTAVES[scales % 4, None] << shifts) // max(int(distances.max()), 1)
    exponent = np.minimum(_raised(x, power), MOST)
    # 2^-(i + f) with mantissa 2 - f: linear between powers of two.
    return (2 * ONE - exponent % ONE << 8) >> exponent // ONE


def _raised(x: np.ndarray, power: int) -> np.ndarray:
    """x^p for p = 1/2, 1, 3/2, 2, 3, 4, 6 in units of 2^-16, at most MOST."""
    if power == 0:
        return _root(x)
    x = np.minimum(x, MOST)
    square = np.minimum(x * x >> 16, MOST)
    if power == 2:
        return x * _root(x) >> 16
    cube = np.minimum(square * x >> 16, MOST)
    return {1: x, 3: square, 4: cube, 5: square * square >> 16, 6: cube * cube >> 16}[power]


def _root(x: np.ndarray) -> np.ndarray:
    """floor(sqrt(2^16 x)): computed in float64, corrected where it is off by one."""
    square = x << 16
    root = np.sqrt(square.astype(np.float64)).astype(np.int64)
    root -= root * root > square
    return root + ((root + 1) * (root + 1) <= square)


def normalised(weights: Int[np.ndarray, "*batch k"]) -> Int[np.ndarray, "*batch k"]:
    """Frequencies (..., K), at least 1, in proportion to weights (..., K) and with sum TOTAL."""
    frequencies = 1 + weights * (TOTAL - weights.shape[-1]) // weights.sum(-1, keepdims=True)
    heaviest = weights.argmax(-1)[..., None]
    left = TOTAL - frequencies.sum(-1, keepdims=True)
    np.put_along_axis(
        frequencies, heaviest, np.take_along_axis(frequencies, heaviest, -1) + left, -1
    )
    return frequencies


def explicit_weight(byte: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """The weight that a byte of an explicit table stands for: 0, or a value of four bits."""
    return np.where(byte == 0, 0, (8 + byte % 8) << byte // 8)


def explicit_bytes(histogram: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """The bytes (K,) of the explicit table nearest to a histogram (K,)."""
    known = explicit_weight(np.arange(256))
    midpoints = (known[1:-1] + known[2:]) // 2
    scaled = histogram.astype(np.int64) << (EXPLICIT_BITS - int(histogram.max()).bit_length())
    return np.where(histogram == 0, 0, 1 + np.searchsorted(midpoints, scaled))


def symbol_bits(frequencies: Int[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch k"]:
    """Bits (..., K) that each symbol takes with frequencies (..., K)."""
    return TOTAL_BITS - np.log2(frequencies)


def cost_bits(
    histogram: Int[np.ndarray, " k"], frequencies: Int[np.ndarray, "*batch k"]
) -> Float[np.ndarray, "*batch"]:
    """Bits (...) that symbols with this histogram (K,) take with frequencies (..., K)."""
    return np.asarray(symbol_bits(frequencies) @ histogram)
