"""What follows the selected source and run: one event for all parts of the page that do.

Every event costs the browser a request, an answer and a walk through the page, and Gradio calls the
handlers of one trigger one after the other, each when the one before it has answered. Some eight
parts of the page follow the selected run, so they do it together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from fieldlr.app.labels import sentence
from fieldlr.errors import FieldlrError


@dataclass(frozen=True)
class Reaction:
    """A handler of an event, with its inputs and outputs."""

    answer: Callable
    inputs: list[Any]
    outputs: list[Any]

    def answered(self, values: dict[Any, Any]) -> dict[Any, Any]:
        """The new values of the outputs, given those of the inputs; none after an error."""
        try:
            answer = self.answer(*(values[part] for part in self.inputs))
        except FieldlrError as error:
            gr.Warning(sentence(str(error)), duration=20)
            return {}
        answers = answer if len(self.outputs) > 1 else [answer]
        return dict(zip(self.outputs, answers, strict=True))


def together(reactions: list[Reaction]) -> tuple[Callable, list[Any], list[Any]]:
    """(a handler, its inputs, its outputs) that does what all reactions do, in their order."""
    inputs = _unique(part for one in reactions for part in one.inputs)
    outputs = _unique(part for one in reactions for part in one.outputs)

    def answer(*values):
        given = dict(zip(inputs, values, strict=True))
        changed: dict[Any, Any] = {}
        for reaction in reactions:
            changed |= reaction.answered(given)
        answers = [changed.get(part, gr.skip()) for part in outputs]
        return answers if len(outputs) > 1 else answers[0]

    return answer, inputs, outputs


def _unique(parts: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(parts))
