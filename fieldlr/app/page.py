"""What all tabs share: the workspace, the chosen source and run, and how mistakes are told."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from fieldlr.app.forms import with_labels
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError

PRIVATE: dict[str, Any] = {"api_visibility": "private"}


@dataclass
class Page:
    """The page under construction."""

    workspace: Workspace
    viewer: Viewer
    source: gr.Dropdown
    run: gr.Dropdown
    tabs: gr.Tabs
    queue: gr.HTML  # its `submit` tells that a job has changed its state
    live: gr.HTML = field(init=False)  # of the Train tab; its `submit` tells that the run has
    loads: list[tuple[Callable, list]] = field(default_factory=list)  # (handler, outputs)

    def on_load(self, handler: Callable, outputs: list) -> None:
        """Calls a handler when somebody opens the page."""
        self.loads.append((handler, outputs))


def told(handler: Callable) -> Callable:
    """The handler, whose FieldlrError the page shows as a sentence."""

    @functools.wraps(handler)
    def telling(*words, **more):
        try:
            return handler(*words, **more)
        except FieldlrError as error:
            raise gr.Error(with_labels(str(error)), duration=20, print_exception=False) from None

    return telling


def follow(parts: list, answer: Callable, outputs: Any) -> None:
    """What `answer` makes of the parts goes to `outputs` whenever one of them changes.

    It is one event for all parts, the last change last: of several under way an earlier one might
    answer after a later one.
    """
    changes = [part.change for part in parts]
    how: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last", **PRIVATE}
    gr.on(changes, told(answer), parts, outputs, **how)


def source_choices(workspace: Workspace) -> list[tuple[str, str]]:
    return [(f"{source.name} ({source.kind})", source.id) for source in workspace.sources()]


def run_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """Trainings, the newest first, with what has become of those that are not done."""
    choices = []
    for job in workspace.trainings():
        state = workspace.store.state(job)
        choices.append((job.title if state == "done" else f"{job.title} ({state})", job.id))
    return choices


def sources_now(workspace: Workspace, chosen: str | None = None) -> gr.Dropdown:
    """The dropdown of sources as it is now."""
    return _now(source_choices(workspace), chosen)


def runs_now(workspace: Workspace, chosen: str | None = None) -> gr.Dropdown:
    """The dropdown of runs as it is now."""
    return _now(run_choices(workspace), chosen)


def renamed(dropdown: gr.Dropdown, now: str | None) -> gr.Dropdown:
    """A dropdown's new words, its choice as it is: somebody may have made another meanwhile."""
    choices: list[Any] = [*dropdown.choices]
    known = [value for _, value in choices]
    return gr.Dropdown(choices=choices) if now in known else dropdown


def _now(choices: list[tuple[str, str]], chosen: str | None) -> gr.Dropdown:
    """A choice where it is to be had, else the first."""
    known = [value for _, value in choices]
    chosen = chosen if chosen in known else next(iter(known), None)
    return gr.Dropdown(choices=choices, value=chosen)


def moving(kind: str, value: str = "", **where: Any) -> gr.HTML:
    """A part of the page that fieldlr.js brings to life."""
    return gr.HTML(
        value,
        html_template="<div class='fl-root'></div>",
        js_on_load=f"fieldlr.{kind}(element, props, trigger, watch)",
        **where,
    )


def packed(**plain: Any) -> str:
    """Plain values for a moving part."""
    return json.dumps(plain)
