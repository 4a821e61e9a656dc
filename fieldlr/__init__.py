"""fieldlr: neural-field reconstruction with low-rank backbones."""

import os
from pathlib import Path
from typing import Any

# Threads that wait by spinning take the cores from whatever else runs, and a step then takes up
# to thirty times as long. It must be said before torch is loaded; the user's own word stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from fieldlr import nn as nn
from fieldlr.errors import FieldlrError as FieldlrError
from fieldlr.fields import Field
from fieldlr.runs import Run
from fieldlr.system.version import __version__ as __version__

__all__ = ["Field", "FieldlrError", "Run", "load", "nn", "reconstruct"]


def load(path: Path | str) -> Field:
    """The trained field of a run folder or a .flr file: `field.inside(points)` and more."""
    from fieldlr.runs import pipeline

    return pipeline.load(path)


def reconstruct(source: Path | str, out: Path | str, resume: bool = False, **options: Any) -> Run:
    """Fits photos, a mesh or a volume and returns the finished run (`pipeline.reconstruct`).

    `options` are the leaves of `training.options.FitOptions`: backbone, rank, seconds, grid, ...
    """
    from fieldlr.runs import pipeline
    from fieldlr.training.options import FitOptions

    return pipeline.reconstruct(source, out, FitOptions.of(**options), resume)
