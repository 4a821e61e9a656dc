"""Undo of settings: the values that the inputs of a tool had before each change."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import gradio as gr

from fieldlr.app.page import IN_ORDER

MAX_CHANGES = 100


@dataclass(frozen=True)
class History:
    """The values of some inputs, and those before each change, the latest last."""

    now: tuple[Any, ...]
    past: tuple[tuple[Any, ...], ...] = ()
    moving: int | None = None  # the input that is being dragged or typed into: one change

    def changed(self, values: tuple[Any, ...]) -> History:
        """After a change by the user."""
        different = [i for i, (a, b) in enumerate(zip(self.now, values, strict=True)) if a != b]
        if not different:
            return self
        if different == [self.moving]:
            return dataclasses.replace(self, now=values)
        moving = different[0] if len(different) == 1 else None
        return History(values, (*self.past, self.now)[-MAX_CHANGES:], moving)

    def ended(self) -> History:
        """After a slider was released or a text was left: what follows is another change."""
        return dataclasses.replace(self, moving=None)

    def undone(self) -> History:
        """Before the last change; the same where there is none."""
        return History(self.past[-1], self.past[:-1]) if self.past else self


class Undo:
    """An "Undo" button for some inputs; their history is kept in the page's state."""

    def __init__(self, parts: list[Any], button: gr.Button, direct: list[Any] | None = None):
        """`direct` are the inputs that change no other, by default all.

        A change by another input is recorded by `record`, once the others have followed.
        """
        history = gr.State(History(tuple(part.value for part in parts)))
        self.inputs, self.outputs = [history, *parts], [history, button]
        direct = parts if direct is None else direct
        changes = [part.input for part in direct]
        ends = [part.release for part in parts if isinstance(part, gr.Slider)]
        ends += [part.blur for part in parts if isinstance(part, gr.Textbox)]
        # In their order, or an undo might come before the change that it is to undo is recorded.
        self.in_order: dict[str, Any] = {**IN_ORDER, "concurrency_id": button.elem_id}
        for events, handler in ((changes, self.record), (ends, self.end)):
            gr.on(events, handler, self.inputs, self.outputs, **self.in_order)
        outputs = [*parts, *self.outputs]
        self.clicked = button.click(self.undo, history, outputs, **self.in_order)

    @staticmethod
    def record(history: History, *values: Any) -> tuple[History, gr.Button]:
        return _with_button(history.changed(values))

    @staticmethod
    def end(history: History, *values: Any) -> tuple[History, gr.Button]:
        return _with_button(history.changed(values).ended())

    @staticmethod
    def restart(_: History, *values: Any) -> tuple[History, gr.Button]:
        """Forgets what was: the values now belong to another run."""
        return _with_button(History(values))

    @staticmethod
    def undo(history: History) -> tuple[Any, ...]:
        before = history.undone()
        return *before.now, *_with_button(before)


def _with_button(history: History) -> tuple[History, gr.Button]:
    return history, gr.Button(interactive=bool(history.past))
