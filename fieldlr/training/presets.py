"""Turns a user's options into a field's config, a task and the limits of its fit."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import torch

from fieldlr.data import Source
from fieldlr.errors import FieldlrError
from fieldlr.fields import field_for
from fieldlr.fields.config import FieldConfig
from fieldlr.geometry.spaces import UNIT_BOX
from fieldlr.nn.activations import ACTIVATIONS
from fieldlr.nn.encodings import ENCODINGS
from fieldlr.nn.linears import LINEARS, LinearConfig
from fieldlr.system.options import own_options
from fieldlr.training.loop import FitConfig
from fieldlr.training.optim import OPTIMIZERS
from fieldlr.training.options import FitOptions, NetworkOptions
from fieldlr.training.tasks import Task, task_for
from fieldlr.training.tasks.corrections import NOTHING
from fieldlr.training.tasks.radiance import RadianceTask
from fieldlr.training.tasks.task import Preset

# The MLP of a radiance field without a feature grid, which must hold the whole scene.
MLP_WIDTH, MLP_DEPTH = 128, 3


def preset_of(options: FitOptions, kind: str) -> Preset:
    """The chosen preset for a kind of source, `quick` by default."""
    chosen, known = options.schedule.preset or "quick", task_for(kind).presets
    if chosen not in known:
        raise FieldlrError(
            f"a {kind} has the presets {', '.join(known)}; got {chosen}. Choose one of them."
        )
    return known[chosen]


def field_config(options: FitOptions, kind: str) -> FieldConfig:
    """The field's config by the options, with the preset's values where they are None."""
    base, network = preset_of(options, kind).config, options.network
    config = dataclasses.replace(base, linear=linear_config(network))
    if network.activation is not None:
        config = dataclasses.replace(config, activation=ACTIVATIONS[network.activation]())
    if network.encoding is not None:
        config = dataclasses.replace(config, encoding=ENCODINGS[network.encoding]())
    sizes = {"width": config.width, "depth": config.depth}
    if config.is_pure_mlp and base.encoding.learns:
        sizes = {"width": MLP_WIDTH, "depth": MLP_DEPTH}
    chosen = {"width": network.width, "depth": network.depth}
    sizes |= {name: size for name, size in chosen.items() if size is not None}
    return dataclasses.replace(config, **sizes)


def linear_config(network: NetworkOptions) -> LinearConfig:
    """The backbone's config, `full` by default."""
    kind = LINEARS[network.backbone or "full"]
    known = [own.name for own in own_options(kind)]
    for name in network.linear:
        if name not in known:
            others = [k for k, v in LINEARS.items() if name in {o.name for o in own_options(v)}]
            raise FieldlrError(
                f"the backbone {kind.name} has no option `{name}`. Leave it out, or choose "
                f"the `backbone` {' or '.join(others)}."
            )
    return kind(**network.linear)


def fit_config(options: FitOptions, kind: str) -> FitConfig:
    """The limits of the fit: the user's, else the preset's."""
    seconds, steps = options.schedule.seconds, options.schedule.steps
    if seconds is None and steps is None:
        preset = preset_of(options, kind)
        seconds, steps = preset.seconds, preset.steps
    return FitConfig(steps, seconds, options.schedule.seed or 0)


def make_task(source: Source, options: FitOptions | None = None) -> Task:
    """The training task of a source with these options."""
    options = options or FitOptions()
    optimizer = OPTIMIZERS[options.schedule.optimizer or "auto"]
    settings = preset_of(options, source.kind).settings
    correct = options.schedule.correct or NOTHING
    if correct != NOTHING:
        if source.kind != RadianceTask.kinds[0]:
            raise FieldlrError(
                f"`correct` applies to photos, and {source.content.name} is a {source.kind}. "
                "Leave it out."
            )
        settings = dataclasses.replace(settings, correct=correct)
    return task_for(source.kind)(source.content, settings, optimizer)


@lru_cache(maxsize=4096)
def count_parameters(options: FitOptions, kind: str) -> int:
    """The number of parameters of a field with these options; FieldlrError if invalid."""
    with torch.device("meta"):
        return field_for(kind)(field_config(options, kind), UNIT_BOX).num_parameters
