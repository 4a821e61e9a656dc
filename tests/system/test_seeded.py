"""The format's random numbers: fixed for ever, the same in JavaScript, and random enough."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from fieldlr.system import seeded
from tests import node


def mix(x: int) -> int:
    """The rule of docs/format.md, in whole numbers without a width."""
    x = (x ^ x >> 16) * 0x7FEB352D % 2**32
    x = (x ^ x >> 15) * 0x846CA68B % 2**32
    return x ^ x >> 16


@pytest.mark.parametrize("stream", [1, 7])
def test_words_follow_the_rule_of_the_document(stream):
    expected = [mix((0x9E3779B9 * i + mix(stream)) % 2**32) for i in range(300)]
    assert seeded.words(stream, 300).tolist() == expected


def test_random_values_that_must_never_change():
    assert seeded.words(1, 3).tolist() == [1492470133, 2988215890, 2105998277]
    assert seeded.uniform(2, (1, 2), 0.5).tolist() == [[-0.49838483333587646, 0.6486865282058716]]
    assert seeded.places(1, 20, 5).tolist() == [4, 7, 14, 16, 18]
    assert seeded.balanced_map(5, 8, 3).tolist() == [1, 1, 0, 0, 0, 2, 1, 2]
    assert seeded.signs(6, 6).tolist() == [1.0, -1.0, -1.0, 1.0, -1.0, 1.0]


def test_javascript_has_the_same_random_values():
    script = """
        import * as s from "./src/seeded.js";
        give([
            [...s.words(3, 500)],
            [...s.uniform(s.STREAMS.frameOut, 500, 0.037)],
            [...s.places(s.STREAMS.support, 5000, 150)],
            [...s.balancedMap(s.STREAMS.map, 500, 7)],
            [...s.signs(s.STREAMS.signs, 500)],
            [...s.normal(s.STREAMS.frequencies, 500, 5.1)],
        ]);
    """
    words, uniform, places, shared, signs, normal = node.evaluate(script)
    assert words == seeded.words(3, 500).tolist()
    assert uniform == seeded.uniform(seeded.FRAME_OUT, (100, 5), 0.037).flatten().tolist()
    assert places == seeded.places(seeded.SUPPORT, 5000, 150).tolist()
    assert shared == seeded.balanced_map(seeded.MAP, 500, 7).tolist()
    assert signs == seeded.signs(seeded.SIGNS, 500).tolist()
    assert normal == seeded.normal(seeded.FREQUENCIES, (500,), 5.1).tolist()


def test_they_are_random_enough():
    words = np.stack([seeded.words(stream, 1 << 16) for stream in range(1, 8)])
    assert len(np.unique(words[0])) == 1 << 16
    bits = (words[..., None] >> np.arange(32, dtype=np.uint32) & 1).reshape(7, -1, 32)
    assert abs(bits.mean(1) - 0.5).max() < 0.01
    values = seeded.uniform(2, (1 << 16,), 2.0)
    assert values.mean().item() == pytest.approx(0.0, abs=0.04)
    assert values.std().item() == pytest.approx(2.0, rel=0.01)
    normal = seeded.normal(7, (1 << 15,), 2.0)
    assert normal.mean().item() == pytest.approx(0.0, abs=0.05)
    assert normal.std().item() == pytest.approx(2.0, rel=0.01)
    # A random matrix of 256 x 64 has singular values between 8 and 24.
    singular = torch.linalg.svdvals(seeded.uniform(2, (256, 64)))
    assert 7.5 < singular.min() and singular.max() < 24.5
    flat = seeded.places(1, 1 << 16, 2000).double()
    assert flat.mean().item() == pytest.approx(1 << 15, rel=0.05)
    assert bool((flat.diff() > 0).all())
    counts = np.bincount(seeded.balanced_map(5, 1000, 7))
    assert set(counts) == {142, 143}
    neighbours = [(words[s].astype(float) / 2**32 - 0.5) for s in range(7)]
    lagged = [np.corrcoef(one[1:], one[:-1])[0, 1] for one in neighbours]
    across = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(neighbours)]
    assert max(map(abs, [*lagged, *across])) < 4.0 / math.sqrt(1 << 16)
