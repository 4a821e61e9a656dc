"""Damaged inputs of every format are read or refused in a sentence: quickly, in little memory.

`python -m tests.fuzz` tries the same for as long as one likes.
"""

import pytest

pytest.importorskip("resource", reason="limits on memory are Unix's")
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.damage import KINDS, PLACES, Edit, damaged
from tests.fuzz.targets import TARGETS
from tests.fuzz.trial import Trial

EDITS = st.lists(
    st.builds(
        Edit,
        kind=st.integers(0, len(KINDS) - 1),
        place=st.integers(0, PLACES - 1),
        choice=st.integers(0, 2**16),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module", params=TARGETS)
def trial(request):
    with Trial(TARGETS[request.param]) as made:
        yield made


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(edits=EDITS)
def test_no_input_ends_in_a_traceback(trial, edits):
    problem = trial(edits)
    assert not problem, problem


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_damage_is_done_to_anything(kind):
    for data in (b"", b"7", b"a 12\nb 3.5\n" * 9):
        for place in (0, PLACES // 2, PLACES - 1):
            assert isinstance(damaged(data, [Edit(kind, place, 12345)]), bytes)
