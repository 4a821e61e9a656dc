"""The settings of a training: checked, described, and turned into a `fieldlr fit` command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from fieldlr.app.labels import backbone_label, short_label, size_text
from fieldlr.app.sources import GRID
from fieldlr.app.timing import evaluation_samples
from fieldlr.app.workspace import StoredSource, Workspace
from fieldlr.data.options import ReadingOptions
from fieldlr.errors import FieldlrError
from fieldlr.jobs import Job
from fieldlr.nn.encodings.separable import SeparableConfig
from fieldlr.nn.linears import LINEARS
from fieldlr.system.options import Option, leaves
from fieldlr.training.options import FitOptions, NetworkOptions, ScheduleOptions
from fieldlr.training.presets import count_parameters, field_config

MAX_RANK = 64
PICTURED_PRESETS = ("quick", "standard", "compact")  # of photos; `paper` takes hours
BRIEF = {"seconds": "{} s", "steps": "{} steps", "downscale": "1/{} size"}
# Bits that a parameter takes in a .flr file at automatic precision: 7 to 11 in networks, 1.5 to 4
# in a grid, of which rows that no sample reads are not stored, and 5 in lines and planes.
NETWORK_BITS, TABLE_BITS, LINE_BITS = 9.0, 2.5, 5.0
NO_SOURCE = "Choose a source first, on the Start tab."
NO_POSES = "These photos have no camera poses yet. Press “Find poses” on the Start tab first."


@dataclass(frozen=True)
class FileSize:
    """The predicted size of a .flr file, in bytes."""

    network: float
    encoding: float

    @property
    def total(self) -> float:
        return self.network + self.encoding

    @property
    def text(self) -> str:
        """For a card: what the choice of the network changes is named where it is little."""
        whole = f"about {size_text(self.total)}"
        if self.encoding > self.network:
            return f"{whole}: {size_text(self.network)} network, {size_text(self.encoding)} grid"
        return whole


def more_settings() -> dict[str, Option]:
    """The options under "More settings", by name."""
    known = leaves(ScheduleOptions) | leaves(NetworkOptions) | leaves(ReadingOptions)
    return {n: own for n, own in known.items() if n not in ("rank", "preset")}


def fit_command(source: StoredSource, options: FitOptions, out: str = "{job}/run") -> list[str]:
    """The arguments of `fieldlr fit` for these settings."""
    _check(source, options)
    arguments = [
        "fit",
        str(source.path),
        "--out",
        out,
        "--preview",
        *reading_flags(source, options),
    ]
    return arguments + option_flags(options)


def option_flags(options: FitOptions) -> list[str]:
    """Flags and values of the options that are set."""
    arguments = []
    for name, own in (leaves(NetworkOptions) | leaves(ScheduleOptions)).items():
        value = options.flat()[name]
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", own.kind.show(value)]
    return arguments


def reading_flags(source: StoredSource, options: FitOptions) -> list[str]:
    """Flags that say how the source is read."""
    if source.kind == "photos":
        downscale = options.reading.downscale or source.facts.get("downscale")
        return ["--downscale", str(downscale)] if downscale else []
    # The reader of point clouds chooses a grid by how far the points lie apart.
    grid = options.reading.grid or (None if "points" in source.facts else GRID)
    return ["--grid", str(grid)] if source.kind == "mesh" and grid else []


def task_kind(kind: str) -> str:
    """A kind of source that is trained in the same way and has presets of its own."""
    return "photos" if kind in ("photos", "unposed") else "mesh"


def num_parameters(kind: str, options: FitOptions) -> int:
    """The number of parameters of the field; FieldlrError where the settings are invalid."""
    return count_parameters(options, task_kind(kind))


def file_size(kind: str, options: FitOptions) -> FileSize:
    """The predicted size of the .flr file."""
    encoding = field_config(options, task_kind(kind)).encoding
    count = encoding.num_parameters()
    network = num_parameters(kind, options) - count
    bits = LINE_BITS if isinstance(encoding, SeparableConfig) else TABLE_BITS
    return FileSize(NETWORK_BITS * network / 8.0, bits * count / 8.0)


def file_sizes(kind: str, options: FitOptions) -> dict[str, FileSize]:
    """The predicted size for each model type that is offered at once, by name."""
    return {name: file_size(kind, options.with_backbone(name)) for name in first_backbones()}


def first_backbones() -> list[str]:
    """The model types that are offered at once; the others are under "More settings"."""
    return [name for name, linear in LINEARS.items() if linear.label]


def description(options: FitOptions) -> str:
    """The settings in short: those that tell two runs of a model type apart."""
    chosen = options.flat()
    own = []
    for name, option in more_settings().items():
        if name != "backbone" and chosen[name] is not None:
            value = option.kind.show(chosen[name])
            own.append(BRIEF.get(name, f"{short_label(name).lower()} {{}}").format(value))
    return ", ".join([options.schedule.preset or "quick", *own])


def run_title(source: StoredSource, options: FitOptions) -> str:
    """The name of a new run: the source, then the model type and its detail, or the preset."""
    backbone, rank = options.network.backbone or "full", options.network.linear.get("rank")
    if source.kind == "photos" and backbone == "full":
        return f"{source.name}, {options.schedule.preset or 'quick'}"
    title = f"{source.name}, {backbone_label(backbone)}"
    return title + (f", detail {rank}" if rank else "")


def train(workspace: Workspace, source: StoredSource, options: FitOptions) -> str:
    """Queues a training; the job's id."""
    arguments = fit_command(source, options)
    about = {
        "purpose": "fit",
        "source": source.id,
        "source_name": source.name,
        "kind": source.kind,
        "backbone": options.network.backbone or "full",
        "settings": description(options),
        "num_parameters": num_parameters(source.kind, options),
        "evaluation_samples": evaluation_samples(source, options),
    }
    return workspace.store.submit(arguments, run_title(source, options), about).id


def equivalent_command(arguments: list[str] | tuple[str, ...], job_folder: Path) -> str:
    """The command line that does the same, writing to the folder my-run."""
    own = [str(word).replace(f"{job_folder}/run", "my-run") for word in arguments]
    return shlex.join(["fieldlr", *(word for word in own if word != "--preview")])


def _check(source: StoredSource, options: FitOptions) -> None:
    if source.kind == "unposed":
        raise FieldlrError(NO_POSES)
    num_parameters(source.kind, options)  # Invalid networks are refused before they are queued.
    if options.schedule.correct not in (None, "nothing") and source.kind != "photos":
        raise FieldlrError(f"`correct` is for photos; {source.name} is a {source.kind}.")


def resume(workspace: Workspace, job_id: str) -> None:
    """Queues a training again; it continues from its last checkpoint where there is one."""
    job = workspace.store.get(job_id)
    begun = (workspace.run_folder(job) / "config.json").exists()
    again = [*job.words, "--resume"] if begun and "--resume" not in job.words else None
    workspace.store.resume(job_id, again)


def longer_seconds(workspace: Workspace, job: Job) -> float | None:
    """The seconds of training that a finished run needs; None where it had enough."""
    if workspace.store.state(job) != "done":
        return None
    return (workspace.store.result(job) or {}).get("good_seconds")


def train_longer(workspace: Workspace, job_id: str) -> None:
    """Queues a finished training again, which continues for as long as a good result takes."""
    job = workspace.store.get(job_id)
    seconds = longer_seconds(workspace, job)
    if seconds is None:
        raise FieldlrError(f"{job.title} was trained for long enough, or is not done.")
    words = [word for word in job.words if word != "--resume"]
    at = words.index("--seconds") if "--seconds" in words else len(words)
    words[at : at + 2] = ["--seconds", f"{seconds:g}"]
    workspace.store.resume(job_id, [*words, "--resume"])
