"""Handlers of one event, called together."""

import gradio as gr
import pytest

from fieldlr.app.reactions import Reaction, together
from fieldlr.errors import FieldlrError


@pytest.fixture
def parts():
    return [gr.Textbox(value=str(index)) for index in range(3)]


def test_every_handler_gets_its_own_inputs_and_fills_its_own_outputs(parts):
    first, second, third = parts
    answer, inputs, outputs = together(
        [
            Reaction(lambda a: a + "!", [first], [second]),
            Reaction(lambda b, a: (b + a, a), [second, first], [third, first]),
        ]
    )
    assert inputs == [first, second] and outputs == [second, third, first]
    assert answer("x", "y") == ["x!", "yx", "x"]


def test_one_output_is_no_list(parts):
    answer, _, outputs = together([Reaction(lambda: "new", [], parts[:1])])
    assert (answer(), outputs) == ("new", parts[:1])


def test_an_error_of_one_is_a_warning_and_the_others_answer(parts, monkeypatch):
    first, second, third = parts
    warnings = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: warnings.append(text))

    def fails(_):
        raise FieldlrError("`rank` is 1 or more; got 0.")

    answer, _, outputs = together(
        [Reaction(fails, [first], [second]), Reaction(lambda a: a, [first], [third])]
    )
    assert outputs == [second, third]
    assert answer("x") == [gr.skip(), "x"]
    assert len(warnings) == 1 and "got 0" in warnings[0]


def test_a_later_handler_has_the_last_word(parts):
    answer, _, outputs = together([Reaction(lambda n=n: n, [], parts[:1]) for n in ("a", "b")])
    assert (answer(), outputs) == ("b", parts[:1])
