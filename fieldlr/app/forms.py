"""From what is chosen on the page to the words of a command, and to what the choice will cost."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from fieldlr.app.checks import GRID
from fieldlr.app.workspace import BroughtSource, Workspace
from fieldlr.errors import FieldlrError
from fieldlr.geometry.boxes import Aabb
from fieldlr.geometry.frames import Similarity
from fieldlr.geometry.spaces import Space
from fieldlr.nn.linears import LINEARS
from fieldlr.runs import FIELDS
from fieldlr.system.duration import duration
from fieldlr.training.presets import PAPER_STEPS, SECONDS, FitOptions, field_config

# A line each, for somebody who has never heard of low rank.
BACKBONES = {
    "full": "Every weight is stored. The best picture, the largest file.",
    "low-rank": "Each weight matrix is a product of two thin ones. Small, and blurred.",
    "sine-low-rank": "The same thin matrices, and a sine between: small, and sharper for it.",
}
PRESETS = {
    "quick": "a good first look",
    "standard": "four times as long, and a larger network for photos",
    "paper": "the networks and the steps of the paper: hours to days without a GPU",
}
MAX_RANK = 64
BYTES_PER_NUMBER = 4  # float32, as a run keeps it


@dataclass(frozen=True)
class Choice:
    """What is chosen on the Train tab; None stands for the preset's."""

    backbone: str = "full"
    rank: int = 5
    preset: str = "quick"
    seconds: float | None = None
    omega: float | None = None
    width: int | None = None
    depth: int | None = None
    activation: str | None = None
    encoding: str | None = None
    seed: int | None = None
    grid: int | None = None
    downscale: int | None = None

    def options(self, backbone: str | None = None) -> FitOptions:
        """As the library takes them, for the chosen backbone or another one."""
        backbone = backbone or self.backbone
        own = {f.name: getattr(self, f.name, None) for f in dataclasses.fields(FitOptions)}
        factorised = backbone != "full"
        own |= {
            "backbone": backbone,
            "rank": self.rank if factorised else None,
            "omega": self.omega if backbone == "sine-low-rank" else None,
        }
        return FitOptions(**own)


def fit_words(source: BroughtSource, choice: Choice, out: str = "{job}/run") -> list[str]:
    """The words of `fieldlr fit` that do what is chosen."""
    _check(source, choice)
    words = ["fit", str(source.path), "--out", out, "--preview", *reading_words(source, choice)]
    return words + option_words(choice)


def option_words(choice: Choice) -> list[str]:
    """The flags of a choice that are not as they would be anyway."""
    options = choice.options()
    words = []
    for field in dataclasses.fields(FitOptions):
        value = getattr(options, field.name)
        if value is not None:
            words += [f"--{field.name}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def reading_words(source: BroughtSource, choice: Choice) -> list[str]:
    """How the source is to be read."""
    if source.kind == "photos":
        downscale = choice.downscale or source.facts.get("downscale")
        return ["--downscale", str(downscale)] if downscale else []
    return ["--grid", str(choice.grid or GRID)] if source.kind == "mesh" else []


def num_parameters(kind: str, choice: Choice, backbone: str) -> int:
    """Numbers that a field of this choice stores."""
    return _count(choice.options(backbone).settled(), "photos" if kind == "photos" else "mesh")


def costs(kind: str, choice: Choice) -> dict[str, int]:
    """Bytes of each backbone's numbers, as float32."""
    return {name: BYTES_PER_NUMBER * num_parameters(kind, choice, name) for name in BACKBONES}


def grid_dominates(kind: str, choice: Choice) -> bool:
    """Whether the backbones hardly differ in size, because an encoding stores most numbers."""
    sizes = costs(kind, choice).values()
    return min(sizes) > 0.9 * max(sizes)


def estimate(kind: str, choice: Choice) -> str:
    """How long it will take, in words."""
    group = "photos" if kind == "photos" else "shape"
    if choice.seconds is not None:
        return duration(choice.seconds)
    if choice.preset == "paper":
        return f"{PAPER_STEPS[group]:,} steps"
    return duration(SECONDS[group][choice.preset])


def size_of(num_bytes: int) -> str:
    """Bytes in words: 11.3 KB, 1 KB being 1,000 bytes."""
    if num_bytes < 1_000_000:
        return f"{num_bytes / 1000:.1f} KB"
    return f"{num_bytes / 1_000_000:.1f} MB"


def train(workspace: Workspace, source: BroughtSource, choice: Choice) -> str:
    """Queues a training; the job's id."""
    words = fit_words(source, choice)
    rank = "" if choice.backbone == "full" else f" {choice.rank}"
    about = {
        "purpose": "fit",
        "source": source.id,
        "source_name": source.name,
        "kind": source.kind,
        "backbone": choice.backbone,
        "num_parameters": num_parameters(source.kind, choice, choice.backbone),
    }
    return workspace.store.submit(words, f"{source.name}, {choice.backbone}{rank}", about).id


def shown_command(words: list[str] | tuple[str, ...], job_folder: Path) -> str:
    """The command line that does the same, into a folder of the user's own."""
    import shlex

    own = [str(word).replace(f"{job_folder}/run", "my-run") for word in words]
    return shlex.join(["fieldlr", *(word for word in own if word != "--preview")])


def _check(source: BroughtSource, choice: Choice) -> None:
    if source.kind == "unposed":
        raise FieldlrError("these photos have no poses yet. Find poses first, on the Start tab.")
    if choice.backbone not in LINEARS:
        raise FieldlrError(f"a backbone is {', '.join(LINEARS)}; got {choice.backbone!r}.")
    # A network that cannot be is refused here, not by a process later.
    num_parameters(source.kind, choice, choice.backbone)


@lru_cache(maxsize=256)
def _count(options: FitOptions, kind: str) -> int:
    space = Space("box", Aabb((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)))
    make = FIELDS["radiance" if kind == "photos" else "occupancy"]
    return make(field_config(options, kind), space, Similarity(), torch.Generator()).num_parameters


def resume(workspace: Workspace, job_id: str) -> None:
    """Queues a training once more: it goes on from its last checkpoint, if it has one."""
    job = workspace.store.get(job_id)
    begun = (workspace.run_folder(job) / "config.json").exists()
    again = [*job.words, "--resume"] if begun and "--resume" not in job.words else None
    workspace.store.resume(job_id, again)
