"""The keys of a manifest: options of fits and of outputs."""

from __future__ import annotations

from fieldlr.batch.outputs import OUTPUTS
from fieldlr.runs.options import EvaluationOptions, FileOptions, RenderOptions
from fieldlr.study.sweep import Sweep
from fieldlr.system.kinds import Choice, ListOf, Text
from fieldlr.system.options import Option, leaves
from fieldlr.training.options import FitOptions

_ITEM = [
    Option("source", Text("PATH"), "A path or a pattern such as meshes/*.ply", None, ""),
    Option(
        "name", Text("NAME"), "Name of the item's folder; {stem} is that of the source", None, ""
    ),
    Option("outputs", ListOf(Choice(OUTPUTS), "[eval, mesh]"), "Outputs to make", None, "eval"),
]
# The options of outputs. `bits` is a single number, as for `compress`.
MAKING: dict[str, Option] = {
    **leaves(Sweep),
    **leaves(EvaluationOptions),
    **leaves(RenderOptions),
    **leaves(FileOptions),
}


def keys() -> dict[str, Option]:
    """All keys of an item, including options of currently registered backbones."""
    return {own.name: own for own in _ITEM} | leaves(FitOptions) | MAKING
