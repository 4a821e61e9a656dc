"""eval: the quality of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fieldlr.cli.verbs.verb import Moved, RunFolder, Verb
from fieldlr.runs.options import EvaluationOptions


@dataclass(frozen=True, kw_only=True)
class Eval(Verb):
    """Evaluates a run in full against its source.

    Example: fieldlr eval vase-run --json
    """

    target: RunFolder
    source: Moved = None
    """Where the source is now, if it has moved."""
    evaluation: EvaluationOptions

    def run(self) -> dict[str, Any]:
        from fieldlr.runs import open_run
        from fieldlr.runs.pipeline import evaluate

        self.say("evaluating")
        return evaluate(open_run(self.target), self.source, self.evaluation.resolution)
