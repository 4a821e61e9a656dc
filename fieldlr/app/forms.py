"""From what is chosen on the page to the words of a command, and to what the choice will cost."""

from __future__ import annotations

import re
from pathlib import Path

from fieldlr.app.checks import GRID
from fieldlr.app.workspace import BroughtSource, Workspace
from fieldlr.data.options import ReadingOptions
from fieldlr.errors import FieldlrError
from fieldlr.nn.linears import LINEARS
from fieldlr.system.duration import duration
from fieldlr.system.options import Option, leaves
from fieldlr.training.options import FitOptions, NetworkOptions, ScheduleOptions
from fieldlr.training.presets import count_parameters, fit_config

MAX_RANK = 64
BYTES_PER_PARAMETER = 4  # float32, as a run keeps it
# What the page calls the options; others are called by their help.
LABELS = {
    "backbone": "Backbone",
    "rank": "Rank",
    "preset": "Preset",
    "seconds": "Seconds of training",
    "steps": "Steps of training",
    "omega": "Omega, the sine's frequency",
    "width": "Width, neurons of a layer",
    "depth": "Depth, layers of width x width",
    "activation": "Activation",
    "encoding": "Encoding",
    "optimizer": "Optimiser",
    "seed": "Seed of every random number",
    "grid": "Grid: voxels along a mesh's longest edge",
    "downscale": "Downscale: divides the size of photos",
}


def more_settings() -> dict[str, Option]:
    """The options of a fit that have no place of their own on the page, by name."""
    known = leaves(ScheduleOptions) | leaves(NetworkOptions) | leaves(ReadingOptions)
    return {n: own for n, own in known.items() if n not in ("backbone", "rank", "preset")}


def label(own: Option) -> str:
    """What the page calls an option."""
    return LABELS.get(own.name, own.help)


def with_labels(message: str) -> str:
    """A message of the library in which options have the names that the page gives them."""
    return re.sub(r"`(\w+)`", lambda m: LABELS.get(m[1], m[1]).partition(":")[0], message)


def fit_words(source: BroughtSource, options: FitOptions, out: str = "{job}/run") -> list[str]:
    """The words of `fieldlr fit` that do what is chosen."""
    _check(source, options)
    words = ["fit", str(source.path), "--out", out, "--preview", *reading_words(source, options)]
    return words + option_words(options)


def option_words(options: FitOptions) -> list[str]:
    """The flags of options that are not as they would be anyway."""
    words = []
    for name, own in (leaves(NetworkOptions) | leaves(ScheduleOptions)).items():
        value = options.flat()[name]
        if value is not None:
            words += [f"--{name.replace('_', '-')}", own.kind.show(value)]
    return words


def reading_words(source: BroughtSource, options: FitOptions) -> list[str]:
    """How the source is to be read."""
    if source.kind == "photos":
        downscale = options.reading.downscale or source.facts.get("downscale")
        return ["--downscale", str(downscale)] if downscale else []
    return ["--grid", str(options.reading.grid or GRID)] if source.kind == "mesh" else []


def num_parameters(kind: str, options: FitOptions) -> int:
    """Parameters that a field of these options stores."""
    return count_parameters(options, "photos" if kind == "photos" else "mesh")


def costs(kind: str, options: FitOptions) -> dict[str, int]:
    """Bytes of each backbone's parameters, as float32."""
    each = {name: options.with_backbone(name) for name in LINEARS}
    return {name: BYTES_PER_PARAMETER * num_parameters(kind, own) for name, own in each.items()}


def grid_dominates(kind: str, options: FitOptions) -> bool:
    """Whether the backbones hardly differ in size, because an encoding stores most of it."""
    sizes = costs(kind, options).values()
    return min(sizes) > 0.9 * max(sizes)


def estimate(kind: str, options: FitOptions) -> str:
    """How long it will take, in words."""
    end = fit_config(options, "photos" if kind == "photos" else "mesh")
    return f"{end.steps:,} steps" if end.seconds is None else duration(end.seconds)


def size_of(num_bytes: int) -> str:
    """Bytes in words: 11.3 KB, 1 KB being 1,000 bytes."""
    if num_bytes < 1_000_000:
        return f"{num_bytes / 1000:.1f} KB"
    return f"{num_bytes / 1_000_000:.1f} MB"


def train(workspace: Workspace, source: BroughtSource, options: FitOptions) -> str:
    """Queues a training; the job's id."""
    words, network = fit_words(source, options), options.network
    backbone = network.backbone or "full"
    about = {
        "purpose": "fit",
        "source": source.id,
        "source_name": source.name,
        "kind": source.kind,
        "backbone": backbone,
        "num_parameters": num_parameters(source.kind, options),
    }
    rank = network.linear.get("rank")
    title = f"{source.name}, {backbone}" + (f" {rank}" if rank else "")
    return workspace.store.submit(words, title, about).id


def shown_command(words: list[str] | tuple[str, ...], job_folder: Path) -> str:
    """The command line that does the same, into a folder of the user's own."""
    import shlex

    own = [str(word).replace(f"{job_folder}/run", "my-run") for word in words]
    return shlex.join(["fieldlr", *(word for word in own if word != "--preview")])


def _check(source: BroughtSource, options: FitOptions) -> None:
    if source.kind == "unposed":
        raise FieldlrError("these photos have no poses yet. Find poses first, on the Start tab.")
    # A network that cannot be is refused here, not by a process later.
    num_parameters(source.kind, options)


def resume(workspace: Workspace, job_id: str) -> None:
    """Queues a training once more: it goes on from its last checkpoint, if it has one."""
    job = workspace.store.get(job_id)
    begun = (workspace.run_folder(job) / "config.json").exists()
    again = [*job.words, "--resume"] if begun and "--resume" not in job.words else None
    workspace.store.resume(job_id, again)
