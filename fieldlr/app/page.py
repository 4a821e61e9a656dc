"""What all tabs share: the workspace, the selected source and run, and how errors are shown."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from fieldlr.app.labels import clock_time, sentence
from fieldlr.app.reactions import Reaction, together
from fieldlr.app.views import Viewer
from fieldlr.app.workspace import Workspace
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job

# For clicks that begin something: one at a time, so that a double click begins it once.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
# Without progress on any part: each status of an event makes Gradio walk through the page once for
# every part that ever showed progress.
QUIET: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], **PRIVATE}
# For `change`: its events run one after the other, in their order. In Gradio's own mode for them,
# "always_last", an event that was triggered again while it ran calls all handlers of its trigger
# when it ends. Two such handlers of one trigger keep calling each other on a busy machine.
IN_ORDER: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": 1, **QUIET}
# Of all events that follow the selected source and run, one at a time: an earlier answer never
# arrives after a later one.
TOGETHER: dict[str, Any] = {**IN_ORDER, "concurrency_id": "together"}
# For slow work that follows the inputs: once more with the latest where they changed meanwhile.
LATEST: dict[str, Any] = {"trigger_mode": "always_last", **PRIVATE}


@dataclass
class Page:
    """The page under construction."""

    workspace: Workspace
    viewer: Viewer
    source: gr.Dropdown
    run: gr.Dropdown
    tabs: gr.Tabs
    queue: gr.HTML  # fires `submit` when a job changes its state
    # On the stage; fires `apply` with the crop box that is set there, `select` with a camera path.
    stage: gr.HTML = field(init=False)
    live: gr.HTML = field(init=False)  # on the stage; fires `submit` when the run changes
    loads: list[tuple[Callable, list]] = field(default_factory=list)  # (handler, outputs)
    reactions: dict[str, list[Reaction]] = field(default_factory=dict)  # by trigger
    # Register slow events of the same triggers, which are called after them.
    slow: list[Callable[[], object]] = field(default_factory=list)

    def on_load(self, handler: Callable, outputs: list) -> None:
        """Calls a handler when the page is opened."""
        self.loads.append((handler, outputs))

    def react(self, triggers: str, answer: Callable, inputs: list, outputs: list) -> None:
        """Calls a quick `answer` after the triggers, together with those of other parts.

        "source" and "run": another is selected; "live": the run has changed; "queue": a job has
        changed its state.
        """
        for trigger in triggers.split():
            self.reactions.setdefault(trigger, []).append(Reaction(answer, inputs, outputs))

    def update_on_change(self, parts: list, answer: Callable, outputs: list) -> None:
        """Calls `answer` with the values of all parts whenever one changes, and fills `outputs`.

        It is one event for all parts: with an event each, an earlier answer might arrive after a
        later one. Gradio does not check the values: where another run moves the range of a slider,
        its old value may be outside of it for a moment.
        """
        selected = {"source": self.source, "run": self.run}
        triggers = [name for name, part in selected.items() if part in parts]
        self.react(" ".join(triggers), answer, parts, outputs)
        changes = [part.change for part in parts if part not in selected.values()]
        if changes:
            gr.on(changes, show_errors(answer), parts, outputs, preprocess=False, **TOGETHER)

    def connect(self) -> None:
        """Registers the events of `react` and `slow`, once all tabs are built."""
        events = {
            "source": self.source.change,
            "run": self.run.change,
            "queue": self.queue.submit,
            "live": self.live.submit,
        }
        for trigger, reactions in self.reactions.items():
            events[trigger](*together(reactions), preprocess=False, **TOGETHER)
        for register in self.slow:
            register()

    def has_field(self, job_id: str | None) -> bool:
        """Whether a run has a trained field, if only a first checkpoint."""
        if not job_id:
            return False
        folder = self.workspace.run_folder(self.workspace.store.get(job_id))
        return (folder / "field.safetensors").exists()


def show_errors(handler: Callable) -> Callable:
    """The handler, with a FieldlrError shown as an error message on the page."""

    @functools.wraps(handler)
    def wrapper(*args, **kwargs):
        try:
            return handler(*args, **kwargs)
        except FieldlrError as error:
            message = sentence(str(error))
            raise gr.Error(message, duration=20, print_exception=False) from None

    return wrapper


def source_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """Sources, the newest first; those of the same name with the time at which they were added."""
    sources = workspace.sources()
    names = [source.name for source in sources]
    choices = []
    for source in sources:
        kind = "no poses yet" if source.kind == "unposed" else source.kind
        twice = names.count(source.name) > 1
        added = f", added {clock_time(source.added)}" if twice else ""
        choices.append((f"{source.name} ({kind}{added})", source.id))
    return choices


def run_label(job: Job) -> str:
    """A run's name with what tells it from others of that name: its settings and its time."""
    settings = job.about.get("settings", "")
    return " · ".join(filter(None, [job.title, clock_time(job.created), settings]))


def run_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """Trainings, the newest first, with the state of those that are not done."""
    choices = []
    for job in workspace.trainings():
        state = workspace.store.state(job)
        label = run_label(job)
        choices.append((label if state == "done" else f"{label} ({state})", job.id))
    return choices


def source_dropdown(workspace: Workspace, selected: str | None = None) -> gr.Dropdown:
    """The dropdown of sources, with this one selected where it exists, else the newest."""
    choices = source_choices(workspace)
    known = [value for _, value in choices]
    value = selected if selected in known else next(iter(known), None)
    return gr.Dropdown(choices=choices, value=value)


def run_dropdown(
    workspace: Workspace, source_id: str | None, selected: str | None = None
) -> gr.Dropdown:
    """The dropdown of all runs, with a run of the source selected: the newest if not `selected`.

    Not of the source's runs alone: Gradio's dropdowns fail when their choices become fewer.
    """
    own = [job.id for job in workspace.trainings() if job.about.get("source") == source_id]
    value = selected if selected in own else next(iter(own), None)
    return gr.Dropdown(choices=run_choices(workspace), value=value)


def with_run(workspace: Workspace, run_id: str | None) -> tuple[gr.Dropdown, gr.Dropdown]:
    """The dropdowns of sources and runs when a run is selected: its source is selected with it.

    The newest run where there is none of this id.
    """
    known = {job.id: job for job in workspace.trainings()}
    job = known.get(run_id or "") or next(iter(known.values()), None)
    if job is None:
        return source_dropdown(workspace), run_dropdown(workspace, None)
    source_id = job.about.get("source")
    return source_dropdown(workspace, source_id), run_dropdown(workspace, source_id, job.id)


def with_new_choices(dropdown: gr.Dropdown, selected: str | None) -> gr.Dropdown:
    """A dropdown's new choices without a new value: the user may have selected another."""
    choices: list[Any] = [*dropdown.choices]
    known = [value for _, value in choices]
    return gr.Dropdown(choices=choices) if selected in known else dropdown


def js_component(kind: str, value: str = "", **where: Any) -> gr.HTML:
    """An element that fieldlr.js fills and updates."""
    return gr.HTML(
        value,
        html_template="<div class='fl-root'></div>",
        js_on_load=f"fieldlr.{kind}(element, props, trigger, watch)",
        **where,
    )


def to_json(**plain: Any) -> str:
    """The value of a `js_component`."""
    return json.dumps(plain)
