"""The keys of a manifest: the options of fits and of what is made of them, by what they are for."""

from __future__ import annotations

from fieldlr.batch.outputs import OUTPUTS
from fieldlr.runs.options import EvaluationOptions, FileOptions, RenderOptions
from fieldlr.study.sweep import Sweep
from fieldlr.system.kinds import Choice, ListOf, Text
from fieldlr.system.options import Option, leaves
from fieldlr.training.options import FitOptions

_ITEM = [
    Option("source", Text("PATH"), "A path, or a pattern such as meshes/*.ply", None, ""),
    Option("name", Text("NAME"), "Of the item's folder; {stem} stands for the source's", None, ""),
    Option("outputs", ListOf(Choice(OUTPUTS), "[eval, mesh]"), "What is made", None, "eval"),
]
# How the outputs of an item are made. A file of a field has one number of bits, a study several.
MAKING: dict[str, Option] = {
    **leaves(Sweep),
    **leaves(EvaluationOptions),
    **leaves(RenderOptions),
    **leaves(FileOptions),
}


def keys() -> dict[str, Option]:
    """All keys of an item; those of a fit are the options of the backbones there are by then."""
    return {own.name: own for own in _ITEM} | leaves(FitOptions) | MAKING
