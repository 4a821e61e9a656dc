"""The options of a fit: the network, and how it is trained."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fieldlr.data.options import ReadingOptions
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS
from fieldlr.system.kinds import Choice, Number, Whole
from fieldlr.system.options import Chosen, Options, extension, option, own_options
from fieldlr.training.optim import OPTIMIZERS
from fieldlr.training.tasks.corrections import CORRECTIONS, NOTHING
from fieldlr.training.tasks.task import PRESETS

MOST_SEED = 2**63 - 1
DEVICES = ("auto", "cpu", "cuda")


def foreign_options(backbone: str) -> set[str]:
    """The options of other backbones that this one does not have."""
    names = {name: {own.name for own in own_options(kind)} for name, kind in LINEARS.items()}
    return set().union(*names.values()) - {own.name for own in own_options(LINEARS[backbone])}


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """The shape of a field's network. None means the preset's choice."""

    backbone: str | None = option(
        Choice(LINEARS), "How layers parameterise weight matrices", shown_default="full"
    )
    linear: Chosen = extension(LINEARS)
    width: int | None = option(
        Whole(1), "Neurons of a hidden layer", shown_default="shapes 256, photos 64"
    )
    depth: int | None = option(
        Whole(0), "Layers of width x width", shown_default="shapes 2, photos 1"
    )
    activation: str | None = option(
        Choice(ACTIVATIONS), "Between layers", shown_default="shapes gaussian, photos relu"
    )
    encoding: str | None = option(
        Choice(ENCODINGS),
        "What a point becomes before the first layer",
        shown_default="shapes identity, photos hash-grid",
    )


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions(Options):
    """How long and with what a field is trained. None means the preset's choice."""

    preset: str | None = option(
        Choice(PRESETS), "Network size and training time", shown_default="quick"
    )
    optimizer: str | None = option(
        Choice(OPTIMIZERS),
        "auto adds Muon for matrices and Gauss-Newton for very small networks where they help",
        shown_default="auto",
    )
    correct: str | None = option(
        Choice(CORRECTIONS),
        "Per-photo corrections trained with the scene: exposure and white balance, camera poses",
        shown_default=NOTHING,
    )
    seconds: float | None = option(
        Number(unit="S"),
        "Ends a fit after this much training",
        shown_default="shapes 60, photos 300; other presets other",
    )
    steps: int | None = option(
        Whole(1),
        "Ends a fit after so many steps; the result then does not depend on the clock",
        shown_default="no limit",
    )
    seed: int | None = option(Whole(0, MOST_SEED), "Random seed", shown_default="0")

    def settled(self) -> ScheduleOptions:
        """The same with defaults filled in for preset, optimiser, corrections and seed."""
        return self.replaced(
            preset=self.preset or "quick",
            optimizer=self.optimizer or "auto",
            correct=self.correct or NOTHING,
            seed=self.seed or 0,
        )


@dataclass(frozen=True, kw_only=True)
class MachineOptions(Options):
    """The machine that a fit runs on."""

    device: str = option(Choice(DEVICES), "Device to train on; auto is CUDA if available", "auto")
    memory: float | None = option(
        Number(unit="GIB"), "Memory limit in GiB", shown_default="all there is"
    )


@dataclass(frozen=True, kw_only=True)
class FitOptions(Options):
    """All options of a fit: `FitOptions.of(backbone="low-rank", rank=5)`."""

    network: NetworkOptions = dataclasses.field(default_factory=NetworkOptions)
    schedule: ScheduleOptions = dataclasses.field(default_factory=ScheduleOptions)
    reading: ReadingOptions = dataclasses.field(default_factory=ReadingOptions)
    machine: MachineOptions = dataclasses.field(default_factory=MachineOptions)

    def settled(self) -> FitOptions:
        """The same with defaults filled in for preset, optimiser, corrections and seed."""
        return dataclasses.replace(self, schedule=self.schedule.settled())

    def with_backbone(self, backbone: str, **linear: Any) -> FitOptions:
        """The same with another backbone, keeping those options that it has."""
        foreign, given = foreign_options(backbone), {**self.network.linear, **linear}
        chosen = {name: value for name, value in given.items() if name not in foreign}
        network = dataclasses.replace(self.network, backbone=backbone, linear=chosen)
        return dataclasses.replace(self, network=network)

    def of_the_fit(self) -> dict[str, Any]:
        """The options that affect the trained field, except how its source is read."""
        return self.network.flat() | self.schedule.flat()

    def plain_fit(self) -> dict[str, Any]:
        """`of_the_fit` as JSON values."""
        return self.network.plain() | self.schedule.plain()
